import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { loadNative } from '../../dist/engine/load-native.js';
import { compare } from '../harness.js';
import { memoryBound } from './memory-bound.js';
import { secondsPerCall, throughputOf } from './throughput.js';

export const summary = 'zero test of blocks: zero, last byte set, first byte set';

const native = loadNative();
const ZEROS = Buffer.alloc(BLOCK_SIZE, 1).fill(0);

/** Blocks that are scanned in turn, when they are not to be in a cache. */
const COLD_BLOCKS = 512;

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 7 }) {
  const lastByteSet = Buffer.alloc(BLOCK_SIZE);
  lastByteSet[BLOCK_SIZE - 1] = 1;
  const cold = Array.from({ length: COLD_BLOCKS }, () => Buffer.alloc(BLOCK_SIZE, 1).fill(0));
  return [
    await compareRates('a zero block, in the cache', rounds, [Buffer.alloc(BLOCK_SIZE, 1).fill(0)]),
    await compareRates('a zero block, from memory', rounds, cold),
    await compareRates('last byte set, in the cache', rounds, [lastByteSet]),
    await compareFirstByteSet(rounds),
  ];
}

/** The ways to test one block. The first is ours. */
function testers() {
  return [
    ...native.zeroScanKernels.map((name, kernel) => ({
      role: 'ours',
      name: `native, ${name}`,
      isZero: (block) => native.isZero(kernel, block),
    })),
    { role: 'alternative', name: 'Buffer.equals', isZero: (block) => ZEROS.equals(block) },
    {
      role: 'alternative',
      name: 'Buffer.compare',
      isZero: (block) => Buffer.compare(ZEROS, block) === 0,
    },
    { role: 'alternative', name: 'loop over 32-bit words', isZero: isZeroByWords },
    { role: 'alternative', name: 'loop over bytes', isZero: isZeroByBytes },
  ];
}

async function compareRates(title, rounds, blocks) {
  const contenders = testers().map(({ role, name, isZero }) => {
    let next = 0;
    return throughputOf(role, name, BLOCK_SIZE, () => isZero(blocks[next++ % blocks.length]));
  });
  return await compare({ title, rounds, contenders: [...contenders, memoryBound()] });
}

/** Nothing is to be read here, so that only the call is measured, and there is no bound but to make none. */
async function compareFirstByteSet(rounds) {
  const block = Buffer.alloc(BLOCK_SIZE);
  block[0] = 1;
  const contenders = testers().map(({ role, name, isZero }) => ({
    role,
    name,
    measure: () => ({ 'ns/block': secondsPerCall(() => isZero(block)) * 1e9 }),
  }));
  return await compare({ title: 'first byte set', rounds, contenders });
}

function isZeroByWords(block) {
  const words = new Uint32Array(block.buffer, block.byteOffset, block.length / 4);
  for (let i = 0; i < words.length; i += 1) {
    if (words[i] !== 0) return false;
  }
  return true;
}

function isZeroByBytes(block) {
  for (let i = 0; i < block.length; i += 1) {
    if (block[i] !== 0) return false;
  }
  return true;
}
