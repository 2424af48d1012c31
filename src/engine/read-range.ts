import { blockCountCeil } from '../base/units.ts';
import { DEFAULT_BUFFER_BYTES, slotCountFloor } from './block-pool.ts';
import type { ReadOptions } from './engine.ts';

/** Checked {@link ReadOptions}. */
export interface ReadRequest {
  readonly firstBlock: number;
  /** Infinity for all to the end. */
  readonly blockCount: number;
  readonly slotCount: number;
}

/** The blocks to read: [firstBlock, endBlock). */
export interface BlockRange {
  readonly firstBlock: number;
  readonly endBlock: number;
}

/**
 * Checks the options of a reader and fills in the defaults.
 * @throws {RangeError} when a number is out of its range.
 */
export function checkReadOptions(options: ReadOptions): ReadRequest {
  const { firstBlock = 0, blockCount = Infinity, maxBufferBytes = DEFAULT_BUFFER_BYTES } = options;
  if (!Number.isSafeInteger(firstBlock) || firstBlock < 0) {
    throw new RangeError(`Expected a block index for firstBlock, got ${firstBlock}`);
  }
  if (blockCount !== Infinity && (!Number.isSafeInteger(blockCount) || blockCount < 0)) {
    throw new RangeError(`Expected a count of blocks for blockCount, got ${blockCount}`);
  }
  return { firstBlock, blockCount, slotCount: slotCountFloor(maxBufferBytes) };
}

/** Cuts the request at the end of a source of `sizeBytes`. */
export function clipRange(request: ReadRequest, sizeBytes: number): BlockRange {
  const sourceEnd = blockCountCeil(sizeBytes);
  const firstBlock = Math.min(request.firstBlock, sourceEnd);
  return { firstBlock, endBlock: Math.min(sourceEnd, firstBlock + request.blockCount) };
}
