import { execFile } from 'node:child_process';
import { access, copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

const run = promisify(execFile);

/** Whether this machine lets the tests make loop devices and mounts: Linux, root, losetup and mount at hand. */
export const canUseLoopDevices: boolean = await probe();

/** A loop device that a test may detach itself. */
export interface LoopDevice {
  readonly path: string;
  /** Once only: the device may be somebody else's afterwards. */
  readonly detach: () => Promise<void>;
}

/** Attaches a file to a free loop device and detaches it when the test ends. Returns the device's path. */
export async function attachLoopDevice(path: string): Promise<string> {
  return (await attachDetachable(path)).path;
}

/** Attaches a file to a free loop device and detaches it when the test ends, unless the test has done so. */
export async function attachDetachable(file: string): Promise<LoopDevice> {
  const { stdout } = await run('losetup', ['--find', '--show', file]);
  const path = stdout.trim();
  let isAttached = true;
  const detach = async (): Promise<void> => {
    isAttached = false;
    await run('losetup', ['--detach', path]);
  };
  onTestFinished(async () => {
    if (isAttached) await detach();
  });
  return { path, detach };
}

/** Mounts `what` on a folder and unmounts it when the test ends. */
export async function mount(what: string, folder: string, ...options: string[]): Promise<void> {
  await run('mount', [...options, what, folder]);
  onTestFinished(async () => {
    await run('umount', [folder]);
  });
}

/** A file system that can be made on a loop device. */
export type FileSystem = 'ext4' | 'xfs' | 'btrfs';

/** Size of {@link makeFileSystem}: what xfs needs at least. */
const FILE_SYSTEM_MIB = 320;

/** Makes a file system in a sparse file and mounts it until the test ends. Returns the folder. */
export async function makeFileSystem(kind: FileSystem, options = 'defaults'): Promise<string> {
  return mountImage(await makeImage(kind, FILE_SYSTEM_MIB), options);
}

/** Makes a file system in a sparse file. Returns the file. */
export async function makeImage(kind: FileSystem, sizeMiB: number): Promise<string> {
  const image = join(await temporaryFolder(), `${kind}.img`);
  await writeFile(image, '');
  await truncate(image, sizeMiB * 1_048_576);
  await run(`mkfs.${kind}`, ['-q', image]);
  return image;
}

/** Mounts the file system in a file until the test ends. Returns the folder. */
export async function mountImage(image: string, options = 'defaults'): Promise<string> {
  const folder = await temporaryFolder();
  await mount(image, folder, '-o', `loop,${options}`);
  return folder;
}

/**
 * Copies a file that a loop device shows, as it would be after a power loss: without what the kernel still has to write.
 * Whoever writes must stand still; the kernel may write on, and then it is copied again. Returns the copy.
 */
export async function copyAfterPowerLoss(image: string): Promise<string> {
  const copy = join(await temporaryFolder(), 'copy.img');
  do await copyFile(image, copy);
  while (!(await readFile(image)).equals(await readFile(copy)));
  return copy;
}

async function probe(): Promise<boolean> {
  try {
    await access('/dev/loop-control');
    await run('losetup', ['--find']);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}
