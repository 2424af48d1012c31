/** Ours: the native engine as an application uses it, each block given back once its digest is noted. */
import { BLOCK_SIZE, DIGEST_SIZE } from '../../dist/base/constants.js';
import { loadEngine } from '../../dist/engine/load-engine.js';
import { runTrial } from './trial.js';

const engine = loadEngine({ engine: 'native' });

await runTrial(async ({ path }) => {
  const reader = await engine.openReader(path);
  const digests = Buffer.alloc(Math.ceil(reader.sizeBytes / BLOCK_SIZE) * DIGEST_SIZE);
  for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
    for (const block of blocks) {
      digests.set(block.digest, block.index * DIGEST_SIZE);
      block.release();
    }
  }
  await reader.close();
  return digests;
});
