import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE, BLOCKS_PER_GIB } from '../../src/base/constants.ts';
import {
  diffSnapshots,
  SnapshotWriter,
  type ChangedRange,
  type DiffOptions,
  type DiffSummary,
} from '../../src/index.ts';
import type { RequestEndMessage } from '../../src/transport/request-channels.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { filledBlock } from '../support/memory-snapshot.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { randomContents, storeSnapshot, type Contents } from '../support/stored-snapshot.ts';

/** What the parent holds, and what the child writes: data anew, a rewrite, new blocks, a cleared one. */
const PARENT: Contents = new Map([
  [0, 1],
  [1, 2],
  [2, 3],
  [9, 4],
  [50, 0],
]);
const CHILD: Contents = new Map([
  [0, 1],
  [1, 7],
  [2, 0],
  [3, 8],
  [4, 0],
  [50, 0],
]);

const REQUEST_END = 'ebs-snapshot-stream:request:end';

type Options = Omit<DiffOptions, 'firstSnapshotId' | 'secondSnapshotId'>;

async function diff(
  { client }: LocalService,
  [firstSnapshotId, secondSnapshotId]: readonly [string, string],
  options: Options = {},
): Promise<{ ranges: string[]; summary: DiffSummary }> {
  const found = diffSnapshots({ client, firstSnapshotId, secondSnapshotId, ...options });
  const ranges: string[] = [];
  for await (const range of found) ranges.push(text(range));
  return { ranges, summary: found.summary };
}

function text({ start, length, change }: ChangedRange): string {
  return `${start / BLOCK_SIZE}+${length / BLOCK_SIZE} ${change}`;
}

describe('diffSnapshots of one lineage', () => {
  it.each(['lean', 'sdk'] as const)('tells what was written, over %s', async (transport) => {
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const child = await storeSnapshot(service.client, CHILD, parent);
    const there = await diff(service, [parent, child], { transport });
    expect(there.ranges).toEqual(['0+3 changed', '3+2 added', '50+1 changed']);
    expect(there.summary).toMatchObject({
      firstSnapshotId: parent,
      secondSnapshotId: child,
      firstVolumeSizeGiB: 1,
      secondVolumeSizeGiB: 1,
      isRelated: true,
      byDigest: false,
      isEqual: false,
      changedBlocks: 6,
      changedBytes: 6 * BLOCK_SIZE,
      blocksRead: 0,
    });
    expect(service.requests('GetSnapshotBlock')).toBe(0);
    const back = await diff(service, [child, parent], { transport });
    expect(back.ranges).toEqual(['0+3 changed', '3+2 removed', '50+1 changed']);
  });

  it('leaves out rewrites of equal data by digest, and tells what became zero', async () => {
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const child = await storeSnapshot(service.client, CHILD, parent);
    const { ranges, summary } = await diff(service, [parent, child], { byDigest: true });
    expect(ranges).toEqual(['1+1 changed', '2+1 zeroed', '3+1 added']);
    // What is the parent's is not even read.
    expect(summary).toMatchObject({ byDigest: true, changedBlocks: 3, blocksRead: 10 });
  });

  it('gives ranges in the words of qemu-img map', async () => {
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const child = await storeSnapshot(service.client, CHILD, parent);
    const options = { client: service.client, byDigest: true };
    const ranges: ChangedRange[] = [];
    const ids = { firstSnapshotId: child, secondSnapshotId: parent };
    for await (const range of diffSnapshots({ ...options, ...ids })) ranges.push(range);
    expect(ranges.at(-1)).toEqual({
      start: 3 * BLOCK_SIZE,
      length: BLOCK_SIZE,
      present: false,
      data: false,
      zero: true,
      change: 'removed',
    });
  });

  it('finds nothing in a child that wrote nothing, nor between a snapshot and itself', async () => {
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const child = await storeSnapshot(service.client, new Map(), parent);
    for (const pair of [[parent, child] as const, [parent, parent] as const]) {
      const { ranges, summary } = await diff(service, pair);
      expect(ranges).toEqual([]);
      expect(summary).toMatchObject({ isEqual: true, changedBlocks: 0 });
    }
  });

  it('calls volumes of two sizes different, and compares what was added', async () => {
    const service = await startLocalService();
    const { client } = service;
    const parent = await storeSnapshot(client, PARENT);
    const grow = async (index: number): Promise<string> => {
      const params = { VolumeSize: 2, ParentSnapshotId: parent };
      const writer = new SnapshotWriter({ client, params });
      writer.end({ index, data: filledBlock(5) });
      return (await writer.done()).snapshotId;
    };
    const [last, behind] = [await grow(BLOCKS_PER_GIB - 1), await grow(2 * BLOCKS_PER_GIB - 1)];
    const grown = await diff(service, [parent, behind]);
    expect(grown.ranges).toEqual([`${2 * BLOCKS_PER_GIB - 1}+1 added`]);
    expect(grown.summary).toMatchObject({ firstVolumeSizeGiB: 1, secondVolumeSizeGiB: 2 });
    const shrunk = await diff(service, [behind, parent], { byDigest: true });
    expect(shrunk.ranges).toEqual([`${2 * BLOCKS_PER_GIB - 1}+1 removed`]);
    const siblings = await diff(service, [last, behind]);
    expect(siblings.ranges).toEqual([
      `${BLOCKS_PER_GIB - 1}+1 removed`,
      `${2 * BLOCKS_PER_GIB - 1}+1 added`,
    ]);
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 3, ParentSnapshotId: last },
    });
    writer.end();
    const { snapshotId } = await writer.done();
    const { ranges, summary } = await diff(service, [last, snapshotId]);
    expect({ ranges, isEqual: summary.isEqual }).toEqual({ ranges: [], isEqual: false });
  });
});

describe('diffSnapshots without a lineage', () => {
  it.each([1, 2])('compares all that either holds by digest (seed %i)', async (seed) => {
    const service = await startLocalService();
    const random = seededRandom(seed);
    const first = randomContents(random, 0.03);
    const second = new Map([...first].filter(() => random() < 0.9));
    for (const index of second.keys()) if (random() < 0.2) second.set(index, 255);
    const pair = [
      await storeSnapshot(service.client, first),
      await storeSnapshot(service.client, second),
    ] as const;
    const { ranges, summary } = await diff(service, pair);
    const differing: number[] = [];
    for (let index = 0; index < BLOCKS_PER_GIB; index += 1) {
      if ((first.get(index) ?? 0) !== (second.get(index) ?? 0)) differing.push(index);
    }
    const told = ranges.flatMap((range) => {
      const [start = 0, count = 0] = range.split(/[+ ]/).map(Number);
      return Array.from({ length: count }, (_, at) => start + at);
    });
    expect(told).toEqual(differing);
    expect(summary).toMatchObject({ isRelated: false, byDigest: true, isEqual: false });
  });

  it('calls equal contents equal', async () => {
    const service = await startLocalService();
    const pair = [
      await storeSnapshot(service.client, PARENT),
      await storeSnapshot(service.client, new Map([...PARENT].filter(([, byte]) => byte !== 0))),
    ] as const;
    const { ranges, summary } = await diff(service, pair);
    expect(ranges).toEqual([]);
    expect(summary).toMatchObject({ isRelated: false, isEqual: true, blocksRead: 9 });
  });
});

describe('diffSnapshots on a bad way', () => {
  it('renews tokens of pages and blocks, and repeats what is refused, cut or corrupted', async () => {
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const child = await storeSnapshot(service.client, CHILD, parent);
    const inject = (operation: string, fault: string, blockIndex?: number): void => {
      const where = blockIndex === undefined ? {} : { blockIndex };
      service.ebs.inject({ operation, fault, ...where } as Parameters<
        typeof service.ebs.inject
      >[0]);
    };
    inject('GetSnapshotBlock', 'expired-block-token', 1);
    inject('GetSnapshotBlock', 'corrupt', 2);
    inject('GetSnapshotBlock', 'cut-answer', 3);
    inject('ListChangedBlocks', 'internal-error');
    const { ranges, summary } = await diff(service, [parent, child], { byDigest: true });
    expect(ranges).toEqual(['1+1 changed', '2+1 zeroed', '3+1 added']);
    expect(summary.retries).toBe(3);

    // A snapshot against itself answers an empty page and a token first.
    const afterFirstPage = (message: unknown): void => {
      if ((message as RequestEndMessage).operation !== 'ListChangedBlocks') return;
      unsubscribe(REQUEST_END, afterFirstPage);
      inject('ListChangedBlocks', 'expired-page-token');
    };
    subscribe(REQUEST_END, afterFirstPage);
    const before = service.requests('ListChangedBlocks');
    expect((await diff(service, [parent, parent])).ranges).toEqual([]);
    // The page with the token, its refused successor, the page from the same block on, and its successor.
    expect(service.requests('ListChangedBlocks') - before).toBe(4);
  });

  it('names the snapshot that cannot be read', async () => {
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const missing = 'snap-0123456789abcdef0';
    await expect(diff(service, [parent, missing])).rejects.toMatchObject({
      code: 'ERR_EBS_SERVICE',
      snapshotId: missing,
    });
  });

  it('fails on a block that never matches its digest', async () => {
    const service = await startLocalService({
      hostility: { faults: { corrupt: { rate: 1, operations: ['GetSnapshotBlock'] } } },
    });
    const pair = [
      await storeSnapshot(service.client, PARENT),
      await storeSnapshot(service.client, CHILD),
    ] as const;
    await expect(diff(service, pair)).rejects.toMatchObject({ code: 'ERR_EBS_INTEGRITY' });
  });

  it('stops at once when nobody reads on, and when it is told to', async () => {
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const child = await storeSnapshot(service.client, CHILD, parent);
    const { client } = service;
    const ids = { firstSnapshotId: parent, secondSnapshotId: child };
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 50, fault: 'stall' });
    for await (const { start } of diffSnapshots({ client, ...ids, byDigest: true })) {
      expect(start).toBe(BLOCK_SIZE);
      break;
    }
    const stop = new AbortController();
    service.ebs.inject({ operation: 'ListChangedBlocks', fault: 'stall' });
    const retryless = diff(service, [parent, child], {
      signal: stop.signal,
      on: { start: () => void setImmediate(() => stop.abort(new Error('enough'))) },
    });
    await expect(retryless).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('refuses a second iteration, and bad options before any call', async () => {
    const firstSnapshotId = 'snap-0123456789abcdef0';
    expect(() => diffSnapshots({ firstSnapshotId, secondSnapshotId: 'vol-1' })).toThrow(
      'secondSnapshotId must be a snapshot id',
    );
    const service = await startLocalService();
    const parent = await storeSnapshot(service.client, PARENT);
    const ids = { firstSnapshotId: parent, secondSnapshotId: parent };
    const found = diffSnapshots({ client: service.client, ...ids });
    expect(await found[Symbol.asyncIterator]().next()).toMatchObject({ done: true });
    await expect(found[Symbol.asyncIterator]().next()).rejects.toThrow('once');
  });
});
