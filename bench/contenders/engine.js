/** Ours: the native engine as an application uses it, each block given back once its digest is noted. */
import { readdirSync, readFileSync } from 'node:fs';
import { BLOCK_SIZE, DIGEST_SIZE } from '../../dist/base/constants.js';
import { loadEngine } from '../../dist/engine/load-engine.js';
import { runTrial } from './trial.js';

const engine = loadEngine({ engine: 'native' });

await runTrial(async ({ path }) => {
  const reader = await engine.openReader(path);
  const digests = Buffer.alloc(Math.ceil(reader.sizeBytes / BLOCK_SIZE) * DIGEST_SIZE);
  let blocks = await reader.next();
  const threadCount = countReaderThreads();
  while (blocks.length > 0) {
    for (const block of blocks) {
      digests.set(block.digest, block.index * DIGEST_SIZE);
      block.release();
    }
    blocks = await reader.next();
  }
  await reader.close();
  return { digests, threadCount };
});

/** The depth at which the other contenders have to read. Threads of the engine bear a name; undefined if none can be seen. */
function countReaderThreads() {
  try {
    const names = readdirSync('/proc/self/task').map((task) =>
      readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim(),
    );
    return names.filter((name) => name === 'ebs-read').length || undefined;
  } catch {
    return undefined;
  }
}
