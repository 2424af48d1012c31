import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { compareFiles } from '../../src/cli/compare-files.ts';
import { isGroupAlive, jsonLines, runCommand, startCommand } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { signal } = new AbortController();

/** A folder with nothing in it but the one that temporary files go to. */
async function makePlace(): Promise<{ folder: string; temporary: string }> {
  const folder = await temporaryFolder();
  const temporary = join(folder, 'tmp');
  await mkdir(temporary);
  return { folder, temporary };
}

it('goes there and back, says so, and leaves nothing', { timeout: 120_000 }, async () => {
  const { folder, temporary } = await makePlace();
  const env = { TMPDIR: temporary };
  const { exitCode, stdout, stderr } = await runCommand(['demo'], { cwd: folder, env });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(stderr).toContain('made a disk image of 512 MiB');
  expect(stdout).toMatch(/^ {2}snapshot {2}snap-[0-9a-f]{17}, 1 GiB, completed$/m);
  expect(stdout).toMatch(/^ {2}equal {5}yes$/m);
  expect(await readdir(temporary)).toEqual([]);
  expect(await readdir(folder)).toEqual(['tmp']);
});

it('takes an image of yours, and only reads it', async () => {
  const { folder, temporary } = await makePlace();
  const path = join(folder, 'disk.img');
  const disk = randomBytes(700_001);
  await writeFile(path, disk, { mode: 0o444 });
  const { mtimeMs } = await stat(path);
  const env = { TMPDIR: temporary };
  const { exitCode, stdout } = await runCommand(['demo', path, '--json'], { env });
  expect(exitCode).toBe(0);
  expect(jsonLines(stdout).at(-1)).toMatchObject({
    type: 'end',
    isEqual: true,
    isRestZero: true,
    upload: { bytesRead: disk.length, changedBlocksCount: 2, status: 'completed' },
    restore: { blocksRead: 2, absentBlocks: 2046 },
  });
  expect((await readFile(path)).equals(disk)).toBe(true);
  expect((await stat(path)).mtimeMs).toBe(mtimeMs);
  expect(await readdir(temporary)).toEqual([]);
});

it('leaves nothing behind when it is stopped, or fails', async () => {
  const { folder, temporary } = await makePlace();
  const env = { TMPDIR: temporary };
  const { child, result, lineWith } = startCommand(['demo', '--json'], { env });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await lineWith('"snapshot"');
  child.kill('SIGINT');
  expect((await result).exitCode).toBe(130);
  expect(isGroupAlive(child.pid)).toBe(false);
  expect(await readdir(temporary)).toEqual([]);

  const failed = await runCommand(['demo', join(folder, 'nowhere.img')], { env });
  expect(failed.exitCode).toBe(2);
  expect(await readdir(temporary)).toEqual([]);
});

it('tells a difference, behind the end of the source too', async () => {
  const { folder } = await makePlace();
  const [source, restored] = [join(folder, 'source'), join(folder, 'restored')];
  const disk = randomBytes(3_000_000);
  await writeFile(source, disk);
  await writeFile(restored, disk);
  await truncate(restored, 8_000_000);
  const sizes = { sizeBytes: disk.length, signal };
  const equal = await compareFiles(source, restored, sizes);
  expect(equal).toMatchObject({ isRestZero: true, isEqual: true });
  expect(equal.sourceSha256).toBe(equal.restoredSha256);

  const file = await open(restored, 'r+');
  await file.write(Buffer.of(1), 0, 1, 7_999_999);
  expect(await compareFiles(source, restored, sizes)).toEqual({
    ...equal,
    isRestZero: false,
    isEqual: false,
  });
  await file.write(Buffer.of((disk[5] ?? 0) ^ 1), 0, 1, 5);
  await file.close();
  const different = await compareFiles(source, restored, sizes);
  expect(different.isEqual).toBe(false);
  expect(different.restoredSha256).not.toBe(equal.sourceSha256);
});
