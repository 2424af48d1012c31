/** The first thing one writes: a read stream in pieces of a block, a loop over its bytes, a digest, then the next. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { ZERO_BLOCK_DIGEST } from '../../dist/base/digest.js';
import { runTrial } from './trial.js';

await runTrial(async ({ path }) => {
  const digests = [];
  for await (const block of createReadStream(path, { highWaterMark: BLOCK_SIZE })) {
    const isZero = block.every((byte) => byte === 0);
    digests.push(isZero ? ZERO_BLOCK_DIGEST : createHash('sha256').update(block).digest());
  }
  return Buffer.concat(digests);
});
