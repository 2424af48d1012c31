import { volumeBlockCount } from '../base/units.ts';
import type { BlockPage, ListedBlock, Transport } from '../transport/transport.ts';
import { streamPages } from './page-stream.ts';
import type { BlockSpan } from './read-ahead.ts';

/** What a listing goes on from. */
export interface BlockListingOptions {
  readonly transport: Transport;
  readonly snapshotId: string;
  /** The first page, from the span's first block: a job needs it before it begins, for the size of the volume. */
  readonly firstPage: BlockPage;
  /** The blocks to list. Default: those of the whole volume. */
  readonly span?: BlockSpan | undefined;
  readonly signal: AbortSignal;
}

/** Yields the blocks of a snapshot page by page, in ascending order; see {@link streamPages} for what may go wrong. */
export function listBlocks({
  transport,
  snapshotId,
  firstPage,
  span,
  signal,
}: BlockListingOptions): AsyncGenerator<readonly ListedBlock[], void, undefined> {
  return streamPages<ListedBlock>({
    firstPage,
    span,
    ask: (start) => transport.listSnapshotBlocks({ snapshotId, ...start }, { signal }),
    name: `ListSnapshotBlocks of ${snapshotId}`,
    snapshotId,
    blockCount: volumeBlockCount(firstPage.volumeSizeGiB),
  });
}
