import { ServiceError } from '../base/errors.ts';
import { volumeBlockCount } from '../base/units.ts';
import type { BlockPage, ListedBlock, Transport } from '../transport/transport.ts';
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

/** How far a listing has come. */
interface Cursor {
  /** One past the last block listed. */
  nextIndex: number;
  /** Where the listing was taken up anew last: twice at one place would be going in circles. */
  resumedAt: number;
}

/**
 * Yields the blocks of a snapshot page by page, in ascending order. The next page is asked for while the one before is
 * dealt with, and no more than these two are held. A page token that the service no longer takes is replaced by a
 * listing from the next block on (contract of INVALID_PAGE_TOKEN).
 * @throws {ServiceError} also for a listing that is out of order or runs past the volume: nothing can be restored from
 * it rightly.
 */
export async function* listBlocks(
  options: BlockListingOptions,
): AsyncGenerator<readonly ListedBlock[], void, undefined> {
  const { first, end } = options.span ?? { first: 0, end: Infinity };
  const cursor: Cursor = { nextIndex: first, resumedAt: -1 };
  let page = options.firstPage;
  for (;;) {
    checkOrder(page.blocks, cursor, options);
    const { nextPageToken } = page;
    const isLast = nextPageToken === undefined || cursor.nextIndex >= end;
    const next = isLast ? undefined : nextPage(nextPageToken, cursor, options);
    try {
      yield cursor.nextIndex > end ? page.blocks.filter((b) => b.blockIndex < end) : page.blocks;
    } finally {
      // No request outlives the listing; a failure is met on the next line or, when nobody reads on, not at all.
      await next?.catch(() => undefined);
    }
    if (next === undefined) return;
    page = await next;
  }
}

/** Whether the service refused for one of its reasons, as INVALID_BLOCK_TOKEN. */
export function isRefusedFor(error: unknown, reason: string): boolean {
  return error instanceof ServiceError && error.reason === reason;
}

async function nextPage(
  pageToken: string,
  cursor: Cursor,
  { transport, snapshotId, signal }: BlockListingOptions,
): Promise<BlockPage> {
  const startingBlockIndex = cursor.nextIndex;
  try {
    return await transport.listSnapshotBlocks({ snapshotId, pageToken }, { signal });
  } catch (error) {
    if (!isRefusedFor(error, 'INVALID_PAGE_TOKEN')) throw error;
    if (cursor.resumedAt === startingBlockIndex) throw error;
    cursor.resumedAt = startingBlockIndex;
    return transport.listSnapshotBlocks({ snapshotId, startingBlockIndex }, { signal });
  }
}

function checkOrder(
  blocks: readonly ListedBlock[],
  cursor: Cursor,
  { snapshotId, firstPage }: BlockListingOptions,
): void {
  const blockCount = volumeBlockCount(firstPage.volumeSizeGiB);
  for (const { blockIndex } of blocks) {
    if (blockIndex < cursor.nextIndex || blockIndex >= blockCount) {
      throw new ServiceError(
        'ERR_EBS_SERVICE',
        `ListSnapshotBlocks of ${snapshotId} named block ${blockIndex} where one from ` +
          `${cursor.nextIndex} to ${blockCount - 1} was due`,
        { snapshotId, blockIndex },
      );
    }
    cursor.nextIndex = blockIndex + 1;
  }
}
