import type {
  BlockPage,
  ChangedBlock,
  ChangedPage,
  ListedBlock,
  Transport,
} from '../transport/transport.ts';
import { listBlocks } from './block-listing.ts';
import { joinByIndex } from './join-by-index.ts';
import { streamPages } from './page-stream.ts';

/** Two snapshots that are compared. */
export interface SnapshotPair {
  readonly transport: Transport;
  readonly firstSnapshotId: string;
  readonly secondSnapshotId: string;
  /** Blocks of the larger volume. */
  readonly blockCount: number;
  readonly signal: AbortSignal;
}

/** Yields the blocks that were written in either snapshot since they parted: ListChangedBlocks, page by page. */
export async function* listChanges(
  { transport, firstSnapshotId, secondSnapshotId, blockCount, signal }: SnapshotPair,
  firstPage: ChangedPage,
): AsyncGenerator<ChangedBlock, void, undefined> {
  const ids = { firstSnapshotId, secondSnapshotId };
  const pages = streamPages<ChangedBlock>({
    firstPage,
    ask: (start) => transport.listChangedBlocks({ ...ids, ...start }, { signal }),
    name: `ListChangedBlocks of ${firstSnapshotId} and ${secondSnapshotId}`,
    snapshotId: secondSnapshotId,
    blockCount,
  });
  for await (const blocks of pages) yield* blocks;
}

/** Yields every block that either snapshot holds, for two of which nothing is known but what they hold. */
export async function* listBoth(
  { transport, firstSnapshotId, secondSnapshotId, signal }: SnapshotPair,
  firstPages: { readonly first: BlockPage; readonly second: BlockPage },
): AsyncGenerator<ChangedBlock, void, undefined> {
  const stop = new AbortController();
  const list = (snapshotId: string, firstPage: BlockPage): AsyncIterable<ListedBlock> =>
    eachBlock({
      transport,
      snapshotId,
      firstPage,
      signal: AbortSignal.any([signal, stop.signal]),
    });
  const sides = {
    first: list(firstSnapshotId, firstPages.first),
    second: list(secondSnapshotId, firstPages.second),
  };
  for await (const { blockIndex, first, second } of joinByIndex(sides, () => stop.abort())) {
    yield {
      blockIndex,
      ...(first === undefined ? {} : { firstToken: first.blockToken }),
      ...(second === undefined ? {} : { secondToken: second.blockToken }),
    };
  }
}

/** The blocks of a snapshot one by one. */
export async function* eachBlock(
  options: Parameters<typeof listBlocks>[0],
): AsyncGenerator<ListedBlock, void, undefined> {
  for await (const blocks of listBlocks(options)) yield* blocks;
}
