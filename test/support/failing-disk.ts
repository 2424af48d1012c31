import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { haveTools } from './required-tool.ts';
import { temporaryFolder } from './temporary-folder.ts';

const run = promisify(execFile);

/** Whether this machine can show a disk that fails as a file. */
export const canUseFailingDisks: boolean =
  process.platform === 'linux' &&
  (await haveTools('nbdkit', 'nbdfuse', 'fusermount3')) &&
  (await access('/dev/fuse').then(
    () => true,
    () => false,
  ));

/** Which reads fail: all that touch one byte. */
export interface ReadFailure {
  readonly atByte: number;
  readonly errno: 'EIO' | 'EPERM' | 'ENOMEM' | 'ENOSPC';
  /** Only the first of them fails. Default false. */
  readonly isOnceOnly?: boolean;
}

/** A disk whose reads fail, shown as a file. */
export interface FailingDisk {
  readonly path: string;
  /** How often a read was refused so far. */
  readonly refusals: () => Promise<number>;
  /** Kills the server behind the file: no read succeeds any more, as of a disk that was pulled out. */
  readonly unplug: () => Promise<void>;
}

/**
 * Shows `content` as a file that fails as told: nbdkit decides what each read brings, nbdfuse mounts it. Both are ended
 * and the mount is gone when the test ends.
 */
export async function startFailingDisk(
  content: Uint8Array,
  failure?: ReadFailure,
): Promise<FailingDisk> {
  const folder = await temporaryFolder();
  const image = join(folder, 'disk.img');
  await writeFile(image, content);
  const plugin =
    failure === undefined
      ? ['file', image]
      : ['eval', `get_size=echo ${content.length}`, `pread=${readScript(folder, failure)}`];
  const { path, child } = await showAsFile(['--readonly', ...plugin], ['--readonly']);
  return {
    path,
    refusals: async () => {
      const refused = await readFile(join(folder, 'refused'), 'utf8').catch(() => '');
      return refused.split('\n').length - 1;
    },
    unplug: () => killChildrenOf(child.pid ?? 0),
  };
}

/** A disk that can be written until it breaks, shown as a file. */
export interface BreakableDisk {
  readonly path: string;
  /** The file that has its content. */
  readonly image: string;
  /** Lets each write from now on fail with EIO; what is there can still be read. */
  readonly break: () => Promise<void>;
}

/** Shows the file `image` as one whose writes can be made to fail. */
export async function startBreakableDisk(image: string): Promise<BreakableDisk> {
  const isBroken = join(await temporaryFolder(), 'is broken');
  const failure = ['error=EIO', 'error-pwrite-rate=1', `error-file=${isBroken}`];
  const { path } = await showAsFile(['--filter=error', 'file', image, ...failure]);
  return { path, image, break: () => writeFile(isBroken, '') };
}

/** Mounts what an nbdkit with these arguments serves. */
async function showAsFile(
  nbdkit: readonly string[],
  nbdfuse: readonly string[] = [],
): Promise<{ readonly path: string; readonly child: ChildProcess }> {
  const mountPoint = await temporaryFolder();
  const path = join(mountPoint, 'disk');
  const server = ['nbdkit', '--exit-with-parent', '--single', ...nbdkit];
  const child = spawn('nbdfuse', [...nbdfuse, path, '--command', ...server], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
    // One whose server was killed ends without unmounting; any other has no mount left, which is what is refused.
    await run('fusermount3', ['-u', '-z', mountPoint]).catch(() => undefined);
  });
  await expect
    .poll(() =>
      access(path).then(
        () => true,
        () => child.exitCode,
      ),
    )
    .toBe(true);
  return { path, child };
}

/** A shell script that is called with a method, a handle, a count of bytes and an offset; see nbdkit-eval-plugin(1). */
function readScript(folder: string, failure: ReadFailure): string {
  const { atByte, errno, isOnceOnly = false } = failure;
  const read = `exec dd if=${folder}/disk.img iflag=skip_bytes,count_bytes skip=$4 count=$3`;
  const touches = `[ $4 -le ${atByte} ] && [ $(($4 + $3)) -gt ${atByte} ]`;
  // Of several reads at a time, mkdir lets one be the first.
  const isTurn = isOnceOnly ? `mkdir ${folder}/once 2> /dev/null` : 'true';
  const refuse = `echo >> ${folder}/refused; echo ${errno} refused >&2; exit 1`;
  return `if ${touches} && ${isTurn}; then ${refuse}; fi; ${read} status=none`;
}

/** Kills the child processes, and resolves when they are gone. */
async function killChildrenOf(pid: number): Promise<void> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const pids = children.trim().split(' ').map(Number);
  for (const child of pids) process.kill(child, 'SIGKILL');
  await expect.poll(() => pids.some(isRunning)).toBe(false);
}

/** A zombie, which its parent has not asked about, has ended. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
