import { access, constants, lstat, open, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TargetError } from '../base/errors.ts';
import { syncFolder } from '../base/sync-folder.ts';
import { HandleTarget, type HandleTargetOptions } from './handle-target.ts';
import { openFailure, targetFailure } from './system-failure.ts';
import type { Target, TargetOptions, TargetPlan } from './target.ts';

/**
 * Plans a file that does not exist yet. It is created exclusively, and removed again when the restore fails.
 * @throws {TargetError} ERR_EBS_TARGET_OPEN when its folder is missing or not writable.
 */
export async function planNewFile(path: string, options: TargetOptions): Promise<TargetPlan> {
  await checkAccess(dirname(path), constants.W_OK, path);
  return { open: (sizeBytes) => createFile(path, sizeBytes, options) };
}

/**
 * Plans an existing regular file to be written over. It stays, whatever becomes of the restore.
 * @throws {TargetError} ERR_EBS_TARGET_OPEN when it is not writable.
 */
export async function planExistingFile(path: string, options: TargetOptions): Promise<TargetPlan> {
  await checkAccess(path, constants.R_OK | constants.W_OK, path);
  return { open: (sizeBytes) => openExistingFile(path, sizeBytes, options) };
}

async function checkAccess(checked: string, mode: number, path: string): Promise<void> {
  await access(checked, mode).catch((error: unknown) => {
    throw openFailure(error, path);
  });
}

async function createFile(
  path: string,
  sizeBytes: number,
  { engine }: TargetOptions,
): Promise<Target> {
  const handle = await open(path, 'wx+').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw openFailure(error, path);
    const message = `"${path}" exists: it came into being meanwhile, or is a link that leads nowhere`;
    throw new TargetError('ERR_EBS_TARGET_EXISTS', message, { path, cause: error });
  });
  const identity = await handle.stat({ bigint: true });
  const target = await targetOf({
    handle,
    engine,
    path,
    isZero: true,
    afterFinish: () => syncFolder(dirname(path)),
    afterAbort: () => removeFile(path, identity),
  });
  return resize(target, { handle, path, sizeBytes, keepsBytes: true });
}

async function openExistingFile(
  path: string,
  sizeBytes: number,
  { engine, targetIsZero, keeps }: TargetOptions,
): Promise<Target> {
  const handle = await open(path, constants.O_RDWR).catch((error: unknown) => {
    throw openFailure(error, path);
  });
  const keepsBytes = targetIsZero || keeps !== undefined;
  // Cut to nothing and grown again, a file is one hole: old bytes cannot shine through, and nothing is left to clear.
  const isZero = targetIsZero || !keepsBytes;
  // The file may be one that an earlier run had made, and not yet made durable by name.
  const afterFinish = (): Promise<void> => syncFolder(dirname(path));
  const target = await targetOf({ handle, engine, path, isZero, afterFinish });
  return resize(target, { handle, path, sizeBytes, keepsBytes });
}

/** Makes a target of a handle, which is closed if that fails. */
async function targetOf(options: HandleTargetOptions): Promise<HandleTarget> {
  try {
    return new HandleTarget(options);
  } catch (error) {
    await options.handle.close();
    await options.afterAbort?.();
    throw openFailure(error, options.path);
  }
}

/** Gives the file exactly the volume's size, as one hole unless it `keepsBytes`. */
async function resize(
  target: Target,
  options: {
    readonly handle: FileHandle;
    readonly path: string;
    readonly sizeBytes: number;
    readonly keepsBytes: boolean;
  },
): Promise<Target> {
  const { handle, path, sizeBytes, keepsBytes } = options;
  try {
    if (!keepsBytes) await handle.truncate(0);
    await handle.truncate(sizeBytes);
    return target;
  } catch (error) {
    const what = `making "${path}" ${sizeBytes} bytes long`;
    const failure = targetFailure(error, { code: 'ERR_EBS_TARGET_WRITE', what, path });
    await target.abort(failure);
    throw failure;
  }
}

/** Removes what the restore created, unless the name has come to mean another file since. */
async function removeFile(
  path: string,
  identity: { readonly dev: bigint; readonly ino: bigint },
): Promise<void> {
  const found = await lstat(path, { bigint: true });
  if (found.dev === identity.dev && found.ino === identity.ino) await unlink(path);
}
