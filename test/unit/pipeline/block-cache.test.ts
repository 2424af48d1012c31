import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { BlockCache } from '../../../src/pipeline/block-cache.ts';
import { settled } from '../../support/fake-clock.ts';

/** A cache, and the loads that it began, each to be ended by hand. */
interface Rig {
  readonly cache: BlockCache;
  readonly begun: number[];
  readonly arrive: (blockIndex: number) => void;
  readonly fail: (blockIndex: number, error: Error) => void;
}

describe('BlockCache', () => {
  it('loads a block once for all who want it, and has it then', async () => {
    const { cache, begun, arrive } = rigOf(4);
    const wanted = [cache.get(7), cache.get(7)];
    expect(cache.has(7)).toBe(true);
    arrive(7);
    expect((await Promise.all(wanted)).map(([byte]) => byte)).toEqual([7, 7]);
    expect((await cache.get(7))[0]).toBe(7);
    expect(begun).toEqual([7]);
  });

  it('drops the block used longest ago', async () => {
    const { cache, begun, arrive } = rigOf(2);
    const use = async (blockIndex: number): Promise<void> => {
      const got = cache.get(blockIndex);
      arrive(blockIndex);
      await got;
    };
    for (const blockIndex of [1, 2, 1, 3, 1, 2]) await use(blockIndex);
    expect(begun).toEqual([1, 2, 3, 2]);
  });

  it('counts those on their way, and lets wait who finds no place', async () => {
    const { cache, begun, arrive } = rigOf(2);
    const wanted = [1, 2, 3, 3, 4].map((blockIndex) => cache.get(blockIndex));
    await settled();
    expect(begun).toEqual([1, 2]);
    arrive(2);
    await settled();
    expect(begun).toEqual([1, 2, 3]);
    arrive(1);
    await settled();
    expect(begun).toEqual([1, 2, 3, 4]);
    arrive(3);
    arrive(4);
    expect((await Promise.all(wanted)).map(([byte]) => byte)).toEqual([1, 2, 3, 3, 4]);
  });

  it('fails for all who wait for a block, and tries again for who asks later', async () => {
    const { cache, begun, arrive, fail } = rigOf(1);
    const wanted = [cache.get(5), cache.get(5)];
    const other = cache.get(6);
    fail(5, new Error('lost'));
    for (const got of wanted) await expect(got).rejects.toThrow('lost');
    await settled();
    arrive(6);
    expect((await other)[0]).toBe(6);
    const again = cache.get(5);
    arrive(5);
    expect((await again)[0]).toBe(5);
    expect(begun).toEqual([5, 6, 5]);
  });

  it('is settled when nothing is on its way', async () => {
    const { cache, arrive, fail } = rigOf(4);
    const wanted = Promise.allSettled([cache.get(1), cache.get(2)]);
    let isSettled = false;
    const settling = cache.settled().then(() => (isSettled = true));
    arrive(1);
    await settled();
    expect(isSettled).toBe(false);
    fail(2, new Error('lost'));
    await settling;
    await wanted;
  });
});

function rigOf(blocks: number): Rig {
  const begun: number[] = [];
  const loads = new Map<
    number,
    { end: (data: Uint8Array) => void; fail: (error: Error) => void }
  >();
  const load = (blockIndex: number): Promise<Uint8Array> => {
    begun.push(blockIndex);
    return new Promise((end, fail) => void loads.set(blockIndex, { end, fail }));
  };
  return {
    cache: new BlockCache(load, { maxBytes: blocks * BLOCK_SIZE }),
    begun,
    arrive: (blockIndex) => loads.get(blockIndex)?.end(new Uint8Array([blockIndex])),
    fail: (blockIndex, error) => loads.get(blockIndex)?.fail(error),
  };
}
