import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** flock(2), exclusive and not waiting: returns the errno, 0 when the lock is taken. The addon has it as `lockFile`. */
export type TryLock = (fd: number) => number;

/**
 * Programs that call flock(2) on a descriptor handed to them as number 3, and end with 1 when another has the lock. The
 * lock belongs to the open file, not to the process that asked for it, so it stays ours when the program has ended.
 * Neither Node nor its libuv can lock. Linux has the first; macOS has the second.
 */
export const LOCKING_PROGRAMS: readonly (readonly [string, ...string[]])[] = [
  ['flock', '-x', '-n', '3'],
  [
    'perl',
    '-e',
    'use Fcntl ":flock"; open(my $f, "+<&=", 3) or exit 2; exit(flock($f, LOCK_EX | LOCK_NB) ? 0 : $!{EWOULDBLOCK} ? 1 : 2)',
  ],
];

const HELD_EXIT = 1;

/**
 * Locks an open file against every other run, until it is closed or its process is gone, kill -9 included. Whichever way
 * it is taken it is the same lock of the kernel. Over NFS it holds between machines (flock(2), since Linux 2.6.12).
 * @param tryLock - the addon's; without it a program that every system has is asked.
 * @returns whether the lock is ours; false when another run has it.
 * @throws when the file cannot be locked at all.
 */
export async function lockFile(fd: number, tryLock?: TryLock): Promise<boolean> {
  if (tryLock === undefined) return lockByProgram(fd, LOCKING_PROGRAMS);
  const errno = tryLock(fd);
  if (errno === constants.errno.EWOULDBLOCK) return false;
  if (errno === 0) return true;
  throw Object.assign(new Error('the lock failed'), { errno: -errno, syscall: 'flock' });
}

/** As {@link lockFile}, by the first of the programs that is installed. */
export async function lockByProgram(
  fd: number,
  programs: readonly (readonly [string, ...string[]])[],
): Promise<boolean> {
  for (const [program, ...args] of programs) {
    const exit = await exitOf(program, args, fd);
    if (exit === undefined) continue;
    if (exit === 0) return true;
    if (exit === HELD_EXIT) return false;
    throw new Error(`${program} ended with ${exit}`);
  }
  throw new Error('neither the addon nor the programs flock and perl are there to lock it');
}

/** The program's exit code; undefined when there is no such program. */
function exitOf(program: string, args: string[], fd: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(undefined);
      else reject(error);
    });
    child.once('close', (code, signal) => {
      if (code === null) reject(new Error(`${program} was ended by ${signal}`));
      else resolve(code);
    });
  });
}
