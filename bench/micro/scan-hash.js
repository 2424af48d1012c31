import { createHash, randomFillSync } from 'node:crypto';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { loadNative } from '../../dist/engine/load-native.js';
import { compare } from '../harness.js';
import { memoryBound } from './memory-bound.js';
import { throughputOf } from './throughput.js';

export const summary = 'zero test and SHA-256 in one pass, against hashing alone';

const native = loadNative();
const ZEROS = Buffer.alloc(BLOCK_SIZE, 1).fill(0);
const FASTEST = 0;

/** Blocks taken in turn: more than a cache holds, as if a disk had just delivered them to memory. */
const BLOCK_COUNT = 512;

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 7 }) {
  const data = Array.from({ length: BLOCK_COUNT }, () => randomFillSync(Buffer.alloc(BLOCK_SIZE)));
  const lastByteSet = Array.from({ length: BLOCK_COUNT }, () => {
    const block = Buffer.alloc(BLOCK_SIZE, 1).fill(0);
    block[BLOCK_SIZE - 1] = 1;
    return block;
  });
  return [
    await compareOn('random data: the scan ends at once', rounds, data),
    await compareOn('last byte set: the scan goes through all of it', rounds, lastByteSet),
  ];
}

async function compareOn(title, rounds, blocks) {
  // As the engine's threads do it: one block after the other is scanned, then two are hashed side by side.
  const scanAndHash = (pair) => {
    const dataBlocks = pair.filter((block) => !native.isZero(FASTEST, block));
    return native.sha256(FASTEST, dataBlocks);
  };
  const contenders = [
    onPairs('ours', 'native scan + hash', blocks, scanAndHash),
    onPairs('alternative', 'Buffer.equals + node:crypto', blocks, (pair) =>
      pair.map((block) => (ZEROS.equals(block) ? ZEROS : digestOf(block))),
    ),
    onPairs('bound', 'native hash alone', blocks, (pair) => native.sha256(FASTEST, pair)),
    memoryBound(),
  ];
  return await compare({ title, rounds, contenders });
}

function onPairs(role, name, blocks, work) {
  let next = 0;
  return throughputOf(role, name, 2 * BLOCK_SIZE, () => {
    const pair = blocks.slice(next, next + 2);
    next = (next + 2) % blocks.length;
    return work(pair);
  });
}

function digestOf(block) {
  return createHash('sha256').update(block).digest();
}
