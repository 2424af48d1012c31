import { describe, expect, it } from 'vitest';
import { BlockFetcher } from '../../../src/pipeline/block-fetcher.ts';
import { filledBlock, MemorySnapshot } from '../../support/memory-snapshot.ts';

describe('BlockFetcher', () => {
  it('lists again from the refused block, over empty pages, and reads it', async () => {
    const snapshot = snapshotOfBlocks([4, 5, 6]);
    snapshot.generation = 1;
    const { snapshotId } = snapshot;
    const original = snapshot.listSnapshotBlocks.bind(snapshot);
    snapshot.listSnapshotBlocks = async (request) => {
      const page = await original(request);
      if (request.startingBlockIndex === undefined) return page;
      return { ...page, blocks: [], nextPageToken: `${request.startingBlockIndex},1` };
    };
    const { data } = await fetcherOf(snapshot).fetch({ blockIndex: 5, blockToken: '5@0' });
    expect(data[0]).toBe(5);
    expect(snapshot.lists).toEqual([
      { snapshotId, startingBlockIndex: 5 },
      { snapshotId, pageToken: '5,1' },
    ]);
  });

  it('tries the renewed token of a page at once for the blocks after', async () => {
    const snapshot = snapshotOfBlocks([4, 5, 6]);
    snapshot.generation = 1;
    const fetcher = fetcherOf(snapshot);
    await fetcher.fetch({ blockIndex: 4, blockToken: '4@0' });
    await fetcher.fetch({ blockIndex: 6, blockToken: '6@0' });
    expect(snapshot.gets.map(({ blockToken }) => blockToken)).toEqual(['4@0', '4@1', '6@1']);
  });

  it('lists anew when the renewed token has expired as well', async () => {
    const snapshot = snapshotOfBlocks([4, 5, 6]);
    snapshot.generation = 1;
    const fetcher = fetcherOf(snapshot);
    await fetcher.fetch({ blockIndex: 4, blockToken: '4@0' });
    snapshot.generation = 2;
    const { data } = await fetcher.fetch({ blockIndex: 6, blockToken: '6@0' });
    expect(data[0]).toBe(6);
    expect(snapshot.lists).toHaveLength(2);
  });

  it('reports the refusal of a block that is listed no more', async () => {
    const fetching = fetcherOf(snapshotOfBlocks([4])).fetch({ blockIndex: 3, blockToken: '3@0' });
    await expect(fetching).rejects.toMatchObject({ reason: 'INVALID_BLOCK_TOKEN' });
  });
});

function snapshotOfBlocks(indices: readonly number[]): MemorySnapshot {
  const blocks = new Map(indices.map((index) => [index, filledBlock(index)]));
  return new MemorySnapshot({ blockCount: 16, blocks });
}

function fetcherOf(transport: MemorySnapshot): BlockFetcher {
  const { snapshotId } = transport;
  return new BlockFetcher({ transport, snapshotId, signal: new AbortController().signal });
}
