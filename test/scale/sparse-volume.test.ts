import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { BLOCK_SIZE } from '../../src/index.ts';
import { envOf, jsonLines, start } from '../support/command.ts';
import { startLocalService } from '../support/local-service.ts';
import { CAN_WATCH_PROCESSES } from '../support/serve-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const GIB = 1_073_741_824;
const MEMORY_BYTES_MAX = 256 * 1_048_576;
/** A quarter of a TiB in `npm test`; `npm run test:scale` has more, in the same memory. */
const SIZES_TIB = (process.env.SCALE_TIB ?? '0.25').split(',').map(Number);

it.skipIf(!CAN_WATCH_PROCESSES).each(SIZES_TIB)(
  'uploads %s TiB of holes with three blocks of data within 256 MiB of memory',
  { timeout: 3_600_000 },
  async (sizeTiB) => {
    const cwd = await temporaryFolder();
    const service = await startLocalService();
    const path = join(cwd, 'disk.img');
    const sizeBytes = sizeTiB * 1024 * GIB;
    const file = await open(path, 'w');
    for (const at of [1_000_000, sizeBytes / 2, sizeBytes - 5]) await file.write('data', at);
    await file.truncate(sizeBytes);
    await file.close();
    const report = `process.on('exit', () => console.error('maxRSS', process.resourceUsage().maxRSS))`;
    const preload = `--import=data:text/javascript,${encodeURIComponent(report)}`;
    const main = join(import.meta.dirname, '../../dist/cli/main.js');
    const flags = ['--zero-blocks', 'omit', '--manifest', 'disk.manifest', '--json'];
    const command = start(process.execPath, [preload, main, 'upload', 'disk.img', ...flags], {
      cwd,
      env: envOf(service.ebs),
    });
    onTestFinished(() => void command.child.kill('SIGKILL'));
    const { exitCode, stdout, stderr } = await command.result;
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    const end = jsonLines(stdout).at(-1);
    expect(end).toMatchObject({ type: 'end', changedBlocksCount: 3, bytesSent: 3 * BLOCK_SIZE });
    const residentBytes = Number(/maxRSS (\d+)/.exec(stderr)?.[1]) * 1024;
    expect(residentBytes).toBeLessThan(MEMORY_BYTES_MAX);
    const seconds = Number(end?.elapsedMs) / 1000;
    const mebibytes = residentBytes / 1_048_576;
    process.stdout.write(
      `${sizeTiB} TiB: ${seconds.toFixed(1)} s, ${mebibytes.toFixed(0)} MiB resident\n`,
    );
  },
);
