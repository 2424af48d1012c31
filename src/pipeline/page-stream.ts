import { ServiceError } from '../base/errors.ts';

/** A page of one of the two lists. Only an absent `nextPageToken` ends it; empty pages with one are legal. */
export interface Page<Entry> {
  readonly blocks: readonly Entry[];
  readonly nextPageToken?: string;
}

/** Where a page begins. */
export type PageStart = { readonly pageToken: string } | { readonly startingBlockIndex: number };

/** What a listing consists of. */
export interface Listing<Entry> {
  readonly firstPage: Page<Entry>;
  readonly ask: (start: PageStart) => Promise<Page<Entry>>;
  /** The blocks to list: the first page begins there. Default: those of the whole volume. */
  readonly span?: { readonly first: number; readonly end: number } | undefined;
  /** What is listed, for messages: `ListSnapshotBlocks of snap-…`. */
  readonly name: string;
  readonly snapshotId: string;
  /** Blocks of the volume. */
  readonly blockCount: number;
}

/** How far a listing has come. */
interface Cursor {
  /** One past the last block listed. */
  nextIndex: number;
  /** Where the listing was taken up anew last: twice at one place would be going in circles. */
  resumedAt: number;
}

/**
 * Yields the entries of a list page by page, in ascending order. The next page is asked for while the one before is
 * dealt with, and no more than these two are held. A page token that the service no longer takes is replaced by a
 * listing from the next block on (contract of INVALID_PAGE_TOKEN).
 * @throws {ServiceError} also for a listing that is out of order or runs past the volume: nothing can be made of it
 * rightly.
 */
export async function* streamPages<Entry extends { readonly blockIndex: number }>(
  listing: Listing<Entry>,
): AsyncGenerator<readonly Entry[], void, undefined> {
  const { first, end } = listing.span ?? { first: 0, end: Infinity };
  const cursor: Cursor = { nextIndex: first, resumedAt: -1 };
  let page = listing.firstPage;
  for (;;) {
    checkOrder(page.blocks, cursor, listing);
    const { nextPageToken } = page;
    const isLast = nextPageToken === undefined || cursor.nextIndex >= end;
    const next = isLast ? undefined : nextPage(nextPageToken, cursor, listing);
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

async function nextPage<Entry>(
  pageToken: string,
  cursor: Cursor,
  { ask }: Listing<Entry>,
): Promise<Page<Entry>> {
  const startingBlockIndex = cursor.nextIndex;
  try {
    return await ask({ pageToken });
  } catch (error) {
    if (!isRefusedFor(error, 'INVALID_PAGE_TOKEN')) throw error;
    if (cursor.resumedAt === startingBlockIndex) throw error;
    cursor.resumedAt = startingBlockIndex;
    return ask({ startingBlockIndex });
  }
}

function checkOrder<Entry extends { readonly blockIndex: number }>(
  blocks: readonly Entry[],
  cursor: Cursor,
  { name, snapshotId, blockCount }: Listing<Entry>,
): void {
  for (const { blockIndex } of blocks) {
    if (blockIndex < cursor.nextIndex || blockIndex >= blockCount) {
      throw new ServiceError(
        'ERR_EBS_SERVICE',
        `${name} named block ${blockIndex} where one from ` +
          `${cursor.nextIndex} to ${blockCount - 1} was due`,
        { snapshotId, blockIndex },
      );
    }
    cursor.nextIndex = blockIndex + 1;
  }
}
