import { describe, expect, it } from 'vitest';
import { BLOCKS_PER_GIB, LIST_RESULTS_MAX } from '../../../src/base/constants.ts';
import { BlockIndex } from '../../../src/pipeline/block-index.ts';
import { MemorySnapshot, type MemorySnapshotOptions } from '../../support/memory-snapshot.ts';

const DATA = new Uint8Array(1);
/** A volume of more blocks than a page of 10,000 entries spans. */
const BLOCK_COUNT = 100 * BLOCKS_PER_GIB;
/** Far apart, so that a page of two spans more than from one multiple of 10,000 to the next. */
const INDICES = [0, 3, 14_000, 14_001, 35_000, 200_000];

describe('BlockIndex', () => {
  it.each([1, 2, Infinity])(
    'tells of every block which token it has, in pages of %d',
    async (pageSize) => {
      const snapshot = snapshotOf({ pageSize, hasEmptyPages: true });
      const index = indexOf(snapshot);
      const asked = [200_001, 35_000, 0, 1, 14_001, 13_999, 200_000, 3, 14_000, BLOCK_COUNT - 1];
      for (const blockIndex of asked) {
        const token = INDICES.includes(blockIndex) ? `${blockIndex}@0` : undefined;
        expect(await index.tokenOf(blockIndex), `block ${blockIndex}`).toBe(token);
      }
    },
  );

  it('lists from where it is needed, once for all who need it', async () => {
    const snapshot = snapshotOf({});
    const index = indexOf(snapshot);
    const start = 3 * LIST_RESULTS_MAX;
    const tokens = [start + 7, 35_000, 200_000].map((block) => index.tokenOf(block));
    expect(await Promise.all(tokens)).toEqual([undefined, '35000@0', '200000@0']);
    expect(snapshot.lists.map(({ startingBlockIndex }) => startingBlockIndex)).toEqual([
      start,
      200_000,
    ]);
    await index.tokenOf(199_999);
    expect(snapshot.lists).toHaveLength(2);
  });

  it('goes on over empty pages with a token', async () => {
    const snapshot = snapshotOf({ pageSize: 2, hasEmptyPages: true });
    expect(await indexOf(snapshot).tokenOf(14_001)).toBe('14001@0');
    const empty = snapshotOf({});
    let left = 3;
    const list = empty.listSnapshotBlocks.bind(empty);
    empty.listSnapshotBlocks = async (request) => {
      const page = await list(request.pageToken === undefined ? request : { snapshotId: 'any' });
      return left-- > 0 ? { ...page, blocks: [], nextPageToken: 'more' } : page;
    };
    expect(await indexOf(empty).tokenOf(3)).toBe('3@0');
    expect(empty.lists).toHaveLength(4);
  });

  it('lists anew what was refused, whichever of two pages knew it', async () => {
    const snapshot = snapshotOf({});
    const index = indexOf(snapshot);
    // The second page, from 0 on, spans the first, from 10,000 on.
    await index.tokenOf(14_000);
    snapshot.generation = 1;
    await index.tokenOf(3);
    snapshot.generation = 2;
    const refused = (await index.tokenOf(14_000)) ?? '';
    index.forget(14_000, refused);
    expect(await index.tokenOf(14_000)).toBe('14000@2');
    expect(await index.tokenOf(14_001)).toBe('14001@2');
    const listed = snapshot.lists.length;
    // A late refusal of the same old token costs nothing.
    index.forget(14_000, refused);
    await index.tokenOf(14_000);
    expect(snapshot.lists).toHaveLength(listed);
  });

  it('keeps a few pages, those used last', async () => {
    const snapshot = snapshotOf({ pageSize: 1, indices: Array.from({ length: 20 }, (_, i) => i) });
    const index = indexOf(snapshot);
    for (let block = 0; block < 20; block += 1) await index.tokenOf(block);
    const listed = snapshot.lists.length;
    for (let block = 19; block >= 12; block -= 1) await index.tokenOf(block);
    expect(snapshot.lists).toHaveLength(listed);
    await index.tokenOf(0);
    expect(snapshot.lists).toHaveLength(listed + 1);
  });

  it('does not keep a listing that failed', async () => {
    let isRefused = true;
    const onList = (): void => {
      if (isRefused) throw new Error('refused');
    };
    const index = indexOf(snapshotOf({ onList }));
    await expect(index.tokenOf(0)).rejects.toThrow('refused');
    isRefused = false;
    expect(await index.tokenOf(0)).toBe('0@0');
  });
});

function snapshotOf({
  indices = INDICES,
  ...options
}: Partial<MemorySnapshotOptions> & { indices?: readonly number[] }): MemorySnapshot {
  const blocks = new Map(indices.map((index) => [index, DATA]));
  return new MemorySnapshot({ blockCount: BLOCK_COUNT, blocks, ...options });
}

function indexOf(transport: MemorySnapshot): BlockIndex {
  const { snapshotId } = transport;
  return new BlockIndex({ transport, snapshotId, signal: new AbortController().signal });
}
