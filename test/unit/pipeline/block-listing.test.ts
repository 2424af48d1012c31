import { describe, expect, it } from 'vitest';
import { BLOCKS_PER_GIB } from '../../../src/base/constants.ts';
import { listBlocks } from '../../../src/pipeline/block-listing.ts';
import type { BlockPage } from '../../../src/transport/transport.ts';
import { settled } from '../../support/fake-clock.ts';
import {
  filledBlock,
  MemorySnapshot,
  refusal,
  type MemorySnapshotOptions,
} from '../../support/memory-snapshot.ts';

const DATA = filledBlock(1);
const INDICES = [0, 2, 3, 7, 8, 9, 15];

describe('listBlocks', () => {
  it('goes on through empty pages until no page token comes', async () => {
    const snapshot = snapshotOf({ pageSize: 3, hasEmptyPages: true });
    expect(await listAll(snapshot)).toEqual([[0, 2, 3], [], [7, 8, 9], [], [15]]);
  });

  it('asks for one page ahead, not for more', async () => {
    const snapshot = snapshotOf({ pageSize: 2 });
    const pages = await open(snapshot);
    await pages.next();
    await settled();
    expect(snapshot.lists).toHaveLength(2);
    await pages.return(undefined);
  });

  it('takes a refused page token up again after the last block listed', async () => {
    let isRefused = false;
    const snapshot = snapshotOf({
      pageSize: 3,
      onList: ({ pageToken }) => {
        if (pageToken === undefined || isRefused) return;
        isRefused = true;
        throw refusal('INVALID_PAGE_TOKEN');
      },
    });
    expect((await listAll(snapshot)).flat()).toEqual(INDICES);
    expect(snapshot.lists[2]).toEqual({ snapshotId: snapshot.snapshotId, startingBlockIndex: 4 });
  });

  it('does not go in circles when page tokens are refused without end', async () => {
    const snapshot = snapshotOf({
      pageSize: 3,
      hasEmptyPages: true,
      onList: ({ pageToken }) => {
        if (pageToken !== undefined) throw refusal('INVALID_PAGE_TOKEN');
      },
    });
    // Each refusal still brings the next page from its first block; only standing still is given up.
    expect((await listAll(snapshot)).flat()).toEqual(INDICES);

    const stuck: BlockPage = { volumeSizeGiB: 1, blocks: [], nextPageToken: 'refused' };
    snapshot.listSnapshotBlocks = ({ pageToken }) =>
      pageToken === undefined
        ? Promise.resolve(stuck)
        : Promise.reject(refusal('INVALID_PAGE_TOKEN'));
    await expect(listAll(snapshot)).rejects.toMatchObject({ reason: 'INVALID_PAGE_TOKEN' });
  });

  it('ends the page asked for ahead before it ends itself', async () => {
    const snapshot = snapshotOf({
      pageSize: 2,
      onList: ({ pageToken }) =>
        pageToken === undefined ? undefined : new Promise(() => undefined),
    });
    const stop = new AbortController();
    const pages = await open(snapshot, stop.signal);
    await pages.next();
    expect(snapshot.pending).toBe(1);
    stop.abort();
    await pages.return(undefined);
    expect(snapshot.pending).toBe(0);
  });

  it.each([
    ['out of order', [3, 2]],
    ['twice', [3, 3]],
    ['past the volume', [16]],
    ['before the volume', [-1]],
  ])('refuses a listing that names a block %s', async (_, indices) => {
    const snapshot = snapshotOf({});
    const page: BlockPage = {
      volumeSizeGiB: 16 / BLOCKS_PER_GIB,
      blocks: indices.map((blockIndex) => ({ blockIndex, blockToken: 'token' })),
    };
    snapshot.listSnapshotBlocks = () => Promise.resolve(page);
    await expect(listAll(snapshot)).rejects.toMatchObject({
      code: 'ERR_EBS_SERVICE',
      blockIndex: indices.at(-1),
    });
  });
});

function snapshotOf(options: Partial<MemorySnapshotOptions>): MemorySnapshot {
  const blocks = new Map(INDICES.map((index) => [index, DATA]));
  return new MemorySnapshot({ blockCount: 16, blocks, ...options });
}

async function open(
  transport: MemorySnapshot,
  signal: AbortSignal = new AbortController().signal,
): Promise<ReturnType<typeof listBlocks>> {
  const { snapshotId } = transport;
  const firstPage = await transport.listSnapshotBlocks({ snapshotId });
  return listBlocks({ transport, snapshotId, firstPage, signal });
}

async function listAll(snapshot: MemorySnapshot): Promise<number[][]> {
  const pages: number[][] = [];
  for await (const page of await open(snapshot)) {
    pages.push(page.map(({ blockIndex }) => blockIndex));
  }
  return pages;
}
