import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { loadNative } from '../../dist/engine/load-native.js';
import { secondsPerCall, throughputOf } from './throughput.js';

/** Many times the largest cache. */
const SIZE_BYTES = 268_435_456;

const NAME = 'memory read, one core';
const native = loadNative();
let bytes;

/**
 * The contender that only reads memory, in GiB/s: nothing that looks at each byte of a block that comes from memory can
 * be faster. (What works on cached blocks can.)
 * @returns {import('../harness.js').Contender}
 */
export function memoryBound() {
  const zeros = uncachedMemory();
  return throughputOf('bound', NAME, SIZE_BYTES, () => native.isZero(0, zeros));
}

/**
 * The same as nanoseconds that memory takes to deliver a block.
 * @param {string} figureName
 * @returns {import('../harness.js').Contender}
 */
export function memoryBoundPerBlock(figureName) {
  const zeros = uncachedMemory();
  const measure = () => ({
    [figureName]: (secondsPerCall(() => native.isZero(0, zeros)) * 1e9 * BLOCK_SIZE) / SIZE_BYTES,
  });
  return { role: 'bound', name: NAME, measure };
}

/**
 * Zeros that no cache holds. Written before they are read: pages that were never written are all the same one, and that is
 * in the cache.
 * @returns {Buffer}
 */
export function uncachedMemory() {
  return (bytes ??= Buffer.alloc(SIZE_BYTES, 1).fill(0));
}
