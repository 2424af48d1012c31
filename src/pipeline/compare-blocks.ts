import { ZERO_BLOCK_DIGEST } from '../base/digest.ts';
import { IntegrityError } from '../base/errors.ts';
import { BlockFetcher } from './block-fetcher.ts';
import type { BlockListingOptions } from './block-listing.ts';
import { eachBlock } from './changed-blocks.ts';
import { joinByIndex, type Indexed } from './join-by-index.ts';
import { mapAhead } from './map-ahead.ts';
import type { Judged } from './merge-runs.ts';

/**
 * Why a block is not as expected. `content`: its bytes are others. `corrupt`: what the service sends for it never matches
 * its own digest. `unknown`: nobody knows what to expect, as after damage to a manifest.
 */
export type Fault = 'content' | 'corrupt' | 'unknown';

/** What one side has in a block; without a digest it cannot be told, or cannot be had. */
export interface BlockDigest extends Indexed {
  readonly digest?: Uint8Array;
}

/** Two sides, each ascending. What a side leaves out reads as zeros. */
export interface Sides {
  /** Where a block left out may be anything, as the parent's, `leftOutIsZero` is false. */
  readonly expected: AsyncIterable<BlockDigest>;
  readonly leftOutIsZero: boolean;
  readonly actual: AsyncIterable<BlockDigest>;
}

/** How {@link compareBlocks} goes about it. */
export interface CompareOptions {
  /** Ends both sides early. */
  readonly stop: () => void;
  /** Told of each block that was looked at; `isChecked` says whether there was anything to compare it with. */
  readonly onBlock: (blockIndex: number, isChecked: boolean) => void;
}

/** Compares two sides by digest and yields the blocks that are not as expected. */
export async function* compareBlocks(
  { expected, actual, leftOutIsZero }: Sides,
  { stop, onBlock }: CompareOptions,
): AsyncGenerator<Judged<Fault>, void, undefined> {
  for await (const { blockIndex, first, second } of joinByIndex(
    { first: expected, second: actual },
    stop,
  )) {
    const isChecked = leftOutIsZero || first !== undefined;
    onBlock(blockIndex, isChecked);
    const verdict = faultOf(isChecked ? (first ?? ZEROS) : undefined, second ?? ZEROS);
    if (verdict !== undefined) yield { blockIndex, verdict };
  }
}

const ZEROS: Pick<BlockDigest, 'digest'> = { digest: ZERO_BLOCK_DIGEST };

function faultOf(
  expected: Pick<BlockDigest, 'digest'> | undefined,
  actual: Pick<BlockDigest, 'digest'>,
): Fault | undefined {
  if (actual.digest === undefined) return 'corrupt';
  if (expected === undefined) return undefined;
  if (expected.digest === undefined) return 'unknown';
  return Buffer.compare(expected.digest, actual.digest) === 0 ? undefined : 'content';
}

/** How the blocks of a snapshot are read. */
export interface ReadDigestsOptions extends BlockListingOptions {
  readonly aheadMax: () => number;
  readonly stop: () => void;
  readonly onRead: () => void;
  /** Called when every block has been asked for. */
  readonly onTail: () => void;
}

/**
 * Reads every block that a snapshot holds, ahead of whoever takes the digests; the bytes are dropped once their digest has
 * been checked. A block that never matches its digest has none, and reading goes on.
 */
export function readDigests(options: ReadDigestsOptions): AsyncGenerator<BlockDigest, void> {
  const { aheadMax, stop, onRead, onTail } = options;
  const fetcher = new BlockFetcher(options);
  return mapAhead(eachBlock(options), {
    work: async (block): Promise<BlockDigest> => {
      const { blockIndex } = block;
      try {
        const { digest } = await fetcher.fetch(block);
        onRead();
        return { blockIndex, digest };
      } catch (error) {
        if (error instanceof IntegrityError) return { blockIndex };
        throw error;
      }
    },
    aheadMax,
    stop,
    onTail,
  });
}
