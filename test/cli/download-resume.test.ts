import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { complaints, envOf, jsonLines, runCommand, startCommand } from '../support/command.ts';
import { startLocalService } from '../support/local-service.ts';
import { firstDifference, storeSnapshot } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const CONTENTS = new Map(Array.from({ length: 24 }, (_, index) => [index * 3, 1 + index] as const));

it('stops at SIGINT with the command that goes on, which does', async () => {
  const service = await startLocalService();
  const snapshotId = await storeSnapshot(service.client, CONTENTS);
  const cwd = await temporaryFolder();
  const env = envOf(service.ebs);
  const args = ['download', snapshotId, 'my disk.img', '--json'];
  const { child, result } = startCommand([...args, '--max-rate', '2M'], { cwd, env });
  onTestFinished(() => void child.kill('SIGKILL'));
  await expect
    .poll(() => service.requests('GetSnapshotBlock'), { timeout: 30_000 })
    .toBeGreaterThan(6);
  child.kill('SIGINT');
  const { exitCode, stdout, stderr } = await result;
  const resumeCommand = `ebs-snapshot download ${snapshotId} 'my disk.img' --json --max-rate 2M`;
  expect(complaints(stderr)).toEqual([
    'ebs-snapshot: stopped by SIGINT',
    `ebs-snapshot: snapshot ${snapshotId} is in part on my disk.img, and my disk.img.ebs-manifest knows in which`,
    `ebs-snapshot: go on with: ${resumeCommand}`,
  ]);
  expect(exitCode).toBe(5);
  expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'error', exitCode: 5, resumeCommand });
  expect((await readdir(cwd)).sort()).toEqual(['my disk.img', 'my disk.img.ebs-manifest']);

  const again = await runCommand(args, { cwd, env });
  expect(again).toMatchObject({ exitCode: 0, stderr: '' });
  const end = jsonLines(again.stdout).at(-1) as { blocksRead: number; unchangedBlocks: number };
  expect(end.unchangedBlocks).toBeGreaterThan(0);
  expect(end.blocksRead + end.unchangedBlocks).toBe(CONTENTS.size);
  expect(await firstDifference(join(cwd, 'my disk.img'), CONTENTS)).toBeUndefined();
  expect(await readdir(cwd)).toEqual(['my disk.img']);
}, 60_000);

it('refuses flags that a stream cannot have', async () => {
  const args = ['download', 'snap-0123456789abcdef0', '-', '--keep-manifest'];
  const { exitCode, stderr } = await runCommand(args);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('--manifest, --keep-manifest and --base need a TARGET that is not -');
});
