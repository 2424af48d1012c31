import * as crypto from 'node:crypto';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { loadNative } from '../../dist/engine/load-native.js';
import { compare } from '../harness.js';
import { memoryBound } from './memory-bound.js';
import { throughputOf } from './throughput.js';

export const summary = 'SHA-256 of blocks on one core: each kernel, one and two side by side';

const native = loadNative();

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 9 }) {
  const blocks = [crypto.randomBytes(BLOCK_SIZE), crypto.randomBytes(BLOCK_SIZE)];
  const contenders = [
    ...native.sha256Kernels.flatMap((name, kernel) => kernelContenders(name, kernel, blocks)),
    ...opensslContenders(blocks[0]),
    memoryBound(),
  ];
  return [await compare({ title: 'SHA-256 of 512 KiB', rounds, contenders })];
}

function kernelContenders(name, kernel, blocks) {
  const expected = Buffer.concat(blocks.map(opensslDigest));
  if (!expected.equals(native.sha256(kernel, blocks))) {
    throw new Error(`The kernel ${name} and node:crypto do not agree`);
  }
  const [block] = blocks;
  return [
    throughputOf('ours', `${name}, two blocks`, 2 * BLOCK_SIZE, () =>
      native.sha256(kernel, blocks),
    ),
    throughputOf('ours', `${name}, one block`, BLOCK_SIZE, () => native.sha256(kernel, [block])),
  ];
}

function opensslContenders(block) {
  const contenders = [
    throughputOf('alternative', 'crypto.createHash', BLOCK_SIZE, () => opensslDigest(block)),
  ];
  // Node 20.12 and later.
  if (crypto.hash !== undefined) {
    contenders.push(
      throughputOf('alternative', 'crypto.hash', BLOCK_SIZE, () =>
        crypto.hash('sha256', block, 'buffer'),
      ),
    );
  }
  return contenders;
}

function opensslDigest(block) {
  return crypto.createHash('sha256').update(block).digest();
}
