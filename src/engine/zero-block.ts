import { BLOCK_SIZE } from '../base/constants.ts';
import { ZERO_BLOCK_DIGEST } from '../base/digest.ts';
import type { Block } from './engine.ts';

/** The one block of zeros that every `zero` and `hole` block shows. Never write to it. */
export const ZERO_BLOCK_DATA: Buffer = Buffer.alloc(BLOCK_SIZE);

/** Makes the block at `index` when it is all zero: no buffer of its own, a constant digest, nothing to release. */
export function zeroBlock(index: number, kind: 'zero' | 'hole'): Block {
  return { index, kind, data: ZERO_BLOCK_DATA, digest: ZERO_BLOCK_DIGEST, release: nothing };
}

function nothing(): void {
  // The zero block is shared by all and never given back.
}
