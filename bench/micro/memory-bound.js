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
  const zeros = memory();
  return throughputOf('bound', NAME, SIZE_BYTES, () => native.isZero(0, zeros));
}

/**
 * The same as microseconds that memory takes to deliver a block.
 * @param {string} figureName
 * @param {number} perBlock how many of the figure's units are in one microsecond for each block
 * @returns {import('../harness.js').Contender}
 */
export function memoryBoundPerBlock(figureName, perBlock = 1) {
  const zeros = memory();
  const microsPerBlock = () =>
    (secondsPerCall(() => native.isZero(0, zeros)) * 1e6 * 524_288) / SIZE_BYTES;
  const measure = () => ({ [figureName]: microsPerBlock() * perBlock });
  return { role: 'bound', name: NAME, measure };
}

/** Written before it is read: pages that were never written are all the same one, and that is in the cache. */
function memory() {
  return (bytes ??= Buffer.alloc(SIZE_BYTES, 1).fill(0));
}
