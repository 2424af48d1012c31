import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { envOf } from '../support/command.ts';
import { startLocalService } from '../support/local-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { runScript } from './child-script.ts';

const MIB = 1_048_576;
const BUDGET_BYTES = 16 * MIB;
const BLOCK_COUNT = 1024;

/**
 * What a process may grow by while it uploads: the budget, once, for reader and sockets share it; the JavaScript heap, an
 * old generation of 64 MiB and a young one of three times 4; and 8 MiB for threads, sockets and the allocator.
 */
const GROWTH_MAX = BUDGET_BYTES + (64 + 12 + 8) * MIB;

it.skipIf(process.platform !== 'linux')(
  'uploads 32 times the budget that it was given',
  async () => {
    const path = await diskFile();
    const service = await startLocalService();
    const index = new URL('../../dist/index.js', import.meta.url).href;
    const result = await runScript(
      `
    import { setFlagsFromString } from 'node:v8';
    setFlagsFromString('--max-old-space-size=64');
    setFlagsFromString('--max-semi-space-size=4');
    const { uploadSnapshot } = await import(${JSON.stringify(index)});
    const [source, budget, env] = process.argv.slice(2);
    Object.assign(process.env, JSON.parse(env));
    const peakKiB = () => Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status'))[1]);
    const before = peakKiB();
    const { changedBlocksCount } = await uploadSnapshot({ source, maxInFlightBytes: Number(budget) });
    console.log(JSON.stringify({ changedBlocksCount, grownBytes: (peakKiB() - before) * 1024 }));
    `,
      path,
      String(BUDGET_BYTES),
      JSON.stringify({
        ...envOf(service.ebs),
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      }),
    );
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    const { changedBlocksCount, grownBytes } = JSON.parse(result.stdout) as Record<string, number>;
    expect(changedBlocksCount).toBe(BLOCK_COUNT);
    expect(grownBytes).toBeLessThan(GROWTH_MAX);
    expect(service.ebs.counters().inFlightMax).toBeLessThanOrEqual(BUDGET_BYTES / BLOCK_SIZE);
  },
);

/** Every block of it is data, for one page of each was written; the rest of each is a hole. */
async function diskFile(): Promise<string> {
  const path = join(await temporaryFolder(), 'disk.img');
  const file = await open(path, 'w');
  for (let index = 0; index < BLOCK_COUNT; index += 1) {
    await file.write(Buffer.alloc(4096, 1 + (index % 255)), 0, 4096, index * BLOCK_SIZE);
  }
  await file.truncate(BLOCK_COUNT * BLOCK_SIZE);
  await file.close();
  return path;
}
