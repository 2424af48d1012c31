import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LocalEbs } from '../../src/local.ts';
import { complaints, envOf, jsonLines, runCommand, startCommand } from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const UPLOAD = ['upload', 'my disk.img', '--manifest', 'disk.manifest'];

async function setUp(): Promise<{ cwd: string; env: Record<string, string> }> {
  const cwd = await temporaryFolder();
  const service = await LocalEbs.start({ directory: join(cwd, 'service') });
  onTestFinished(() => service.close());
  await writeFile(join(cwd, 'my disk.img'), diskOf('d'.repeat(16)));
  return { cwd, env: envOf(service) };
}

it('ends with 5 at Ctrl-C, says how to go on, and goes on', async () => {
  const where = await setUp();
  const { child, result, lineWith } = startCommand(
    [...UPLOAD, '--json', '--max-rate', '512K'],
    where,
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const { snapshotId } = JSON.parse(await lineWith('"snapshot"')) as { snapshotId: string };

  // Meanwhile nobody else may use the manifest.
  const second = await runCommand([...UPLOAD, '--resume'], where);
  expect(second.exitCode).toBe(6);
  expect(second.stderr).toContain(`is in use by process ${child.pid} on `);

  child.kill('SIGINT');
  const { exitCode, stdout, stderr } = await result;
  const resumeCommand =
    "ebs-snapshot upload 'my disk.img' --manifest disk.manifest --json --max-rate 512K --resume";
  expect(exitCode).toBe(5);
  expect(complaints(stderr)).toEqual([
    'ebs-snapshot: stopped by SIGINT',
    `ebs-snapshot: snapshot ${snapshotId} is left pending; AWS cancels it after 60 minutes without a block`,
    `ebs-snapshot: go on with: ${resumeCommand}`,
  ]);
  expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'error', exitCode: 5, resumeCommand });

  const forgotten = await runCommand(UPLOAD, where);
  expect(forgotten.exitCode).toBe(2);
  expect(forgotten.stderr).toContain('go on with it by --resume');

  const resumed = await runCommand([...UPLOAD, '--resume'], where);
  expect(resumed).toMatchObject({ exitCode: 0, stdout: `${snapshotId}\n` });
});
