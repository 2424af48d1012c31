import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LocalEbs } from '../../src/local.ts';
import { complaints, envOf, jsonLines, runCommand, startCommand } from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Bench {
  readonly service: LocalEbs;
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly snapshotId: string;
}

/** A service with a completed snapshot of 16 blocks. */
async function setUp(): Promise<Bench> {
  const cwd = await temporaryFolder();
  const service = await LocalEbs.start({ directory: join(cwd, 'service') });
  onTestFinished(() => service.close());
  await writeFile(join(cwd, 'disk.img'), diskOf('d'.repeat(16)));
  const env = envOf(service);
  const { stdout } = await runCommand(['upload', 'disk.img'], { cwd, env });
  return { service, cwd, env, snapshotId: stdout.trim() };
}

it('builds a base, stopped by Ctrl-C and resumed, for an upload that sends what differs', async () => {
  const { service, snapshotId, ...where } = await setUp();
  const command = ['manifest', snapshotId, '--output', 'my base', '--json'];
  const { child: builder, result } = startCommand([...command, '--max-rate', '4M'], where);
  onTestFinished(() => void builder.kill('SIGKILL'));
  const reads = (): number => service.counters().byOperation.GetSnapshotBlock ?? 0;
  await expect.poll(reads, { timeout: 20_000 }).toBeGreaterThan(6);
  builder.kill('SIGINT');
  const stopped = await result;
  const resumeCommand = `ebs-snapshot manifest ${snapshotId} --output 'my base' --json --max-rate 4M --resume`;
  expect(stopped.exitCode).toBe(5);
  expect(complaints(stopped.stderr)).toEqual([
    'ebs-snapshot: stopped by SIGINT',
    `ebs-snapshot: go on with: ${resumeCommand}`,
  ]);
  expect(jsonLines(stopped.stdout).at(-1)).toMatchObject({ type: 'error', resumeCommand });

  const forgotten = await runCommand(command, where);
  expect(forgotten.exitCode).toBe(2);
  expect(forgotten.stderr).toContain('go on with it by --resume');

  const built = await runCommand([...command, '--resume'], where);
  expect(built.exitCode).toBe(0);
  const end = jsonLines(built.stdout).at(-1) as { blocksRead: number; unchangedBlocks: number };
  expect(end).toMatchObject({ type: 'end', snapshotId, absentBlocks: 2032 });
  expect(end.unchangedBlocks).toBeGreaterThan(0);
  expect(end.blocksRead + end.unchangedBlocks).toBe(16);

  await writeFile(join(where.cwd, 'disk.img'), diskOf(`${'d'.repeat(15)}0`));
  const files = ['--base', 'my base', '--manifest', 'child.manifest'];
  const child = ['upload', 'disk.img', '--parent-snapshot-id', snapshotId, ...files, '--json'];
  const upload = await runCommand(child, where);
  expect(jsonLines(upload.stdout).at(-1)).toMatchObject({ type: 'end', changedBlocksCount: 1 });
});

it('says what is needed', async () => {
  const { exitCode, stderr } = await runCommand(['manifest', 'snap-0123456789abcdef0']);
  expect(exitCode).toBe(2);
  expect(complaints(stderr)).toEqual([expect.stringContaining('--output must be given')]);
});
