/** What plain Node does well: several reads under way by `fs`, `Buffer.equals` for zeros, `node:crypto` for digests. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BLOCK_SIZE, DIGEST_SIZE } from '../../dist/base/constants.js';
import { ZERO_BLOCK_DIGEST } from '../../dist/base/digest.js';
import { runTrial } from './trial.js';

/** Blocks that one read covers, as in the engine (native/sizes.h). */
const RUN_BLOCKS = 4;
const ZEROS = Buffer.alloc(BLOCK_SIZE);

await runTrial(async ({ path, depth, sizeBytes }) => {
  const file = await open(path);
  const blockCount = sizeBytes / BLOCK_SIZE;
  const digests = Buffer.alloc(blockCount * DIGEST_SIZE);
  let nextBlock = 0;
  const readRuns = async () => {
    const buffer = Buffer.allocUnsafeSlow(RUN_BLOCKS * BLOCK_SIZE);
    while (nextBlock < blockCount) {
      const first = nextBlock;
      nextBlock += RUN_BLOCKS;
      const { bytesRead } = await file.read(buffer, 0, buffer.length, first * BLOCK_SIZE);
      for (let i = 0; (i + 1) * BLOCK_SIZE <= bytesRead; i += 1) {
        const digest = digestOf(buffer.subarray(i * BLOCK_SIZE, (i + 1) * BLOCK_SIZE));
        digests.set(digest, (first + i) * DIGEST_SIZE);
      }
    }
  };
  await Promise.all(Array.from({ length: depth }, readRuns));
  await file.close();
  return digests;
});

function digestOf(block) {
  return ZEROS.equals(block) ? ZERO_BLOCK_DIGEST : createHash('sha256').update(block).digest();
}
