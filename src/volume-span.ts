import { BLOCK_SIZE } from './base/constants.ts';
import { blockCountCeil, blockOffset, volumeBlockCount } from './base/units.ts';
import type { BlockRange, ByteRange } from './options.ts';
import type { BlockSpan } from './pipeline/read-ahead.ts';

/** The part of a volume that is read: its bytes, and the blocks that hold them. */
export interface VolumeSpan {
  readonly bytes: Required<ByteRange>;
  readonly blocks: BlockSpan;
}

/** The block that a range begins in. */
export function firstBlockOf(range: ByteRange | BlockRange = { offset: 0 }): number {
  return 'offset' in range ? Math.floor(range.offset / BLOCK_SIZE) : (range.firstBlock ?? 0);
}

/** Cuts a range where the volume ends; one that begins behind it is empty. */
export function spanOf(
  range: ByteRange | BlockRange = { offset: 0 },
  volumeSizeGiB: number,
): VolumeSpan {
  const { offset, length } = inBytes(range);
  const volumeBytes = blockOffset(volumeBlockCount(volumeSizeGiB));
  const bytes = { offset, length: Math.max(0, Math.min(length, volumeBytes - offset)) };
  const first = Math.floor(offset / BLOCK_SIZE);
  const end = bytes.length === 0 ? first : blockCountCeil(offset + bytes.length);
  return { bytes, blocks: { first, end } };
}

/** Where in a block the bytes of a range are, from the block's start. */
export function bytesWithin(
  { offset, length }: Required<ByteRange>,
  blockIndex: number,
): { readonly start: number; readonly end: number } {
  const blockStart = blockOffset(blockIndex);
  return {
    start: Math.max(0, offset - blockStart),
    end: Math.min(BLOCK_SIZE, offset + length - blockStart),
  };
}

function inBytes(range: ByteRange | BlockRange): Required<ByteRange> {
  if ('offset' in range) return { offset: range.offset, length: range.length ?? Infinity };
  const { firstBlock = 0, endBlock = Infinity } = range;
  return { offset: blockOffset(firstBlock), length: blockOffset(endBlock - firstBlock) };
}
