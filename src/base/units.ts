import { BLOCK_SIZE, BLOCKS_PER_GIB, GIB } from './constants.ts';

/** Blocks that hold `sizeBytes`, a partial last one included. */
export function blockCountCeil(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_SIZE);
}

/** Whole blocks that a budget of `bytes` holds; at least one, for without any a job could not go on. */
export function blocksIn(bytes: number): number {
  return Math.max(1, Math.floor(bytes / BLOCK_SIZE));
}

/** Byte offset of a block. Exact below 2^53; never computed in 32 bits. */
export function blockOffset(blockIndex: number): number {
  return blockIndex * BLOCK_SIZE;
}

/** Blocks of a volume of `volumeSizeGiB`. */
export function volumeBlockCount(volumeSizeGiB: number): number {
  return volumeSizeGiB * BLOCKS_PER_GIB;
}

/** The smallest VolumeSize in GiB, at least 1, that holds `sizeBytes`. */
export function volumeSizeGiBCeil(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / GIB));
}
