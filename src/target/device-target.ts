import { constants, open, type FileHandle } from 'node:fs/promises';
import { TargetError } from '../base/errors.ts';
import { useOfDevice } from './device-use.ts';
import { HandleTarget } from './handle-target.ts';
import { openFailure, targetFailure } from './system-failure.ts';
import type { Target, TargetOptions, TargetPlan } from './target.ts';

/**
 * On a block device O_EXCL claims it. That fails while the kernel has it claimed: mounted, swapped to, part of a RAID or a
 * logical volume, and likewise while one of its partitions is (Linux open(2)).
 */
const EXCLUSIVE = process.platform === 'linux' ? constants.O_EXCL : 0;

/** Plans a block device, to be opened for this restore alone. It must hold the volume; bytes beyond it stay. */
export function planDevice(path: string, options: TargetOptions): TargetPlan {
  return { open: (sizeBytes) => openDevice(path, sizeBytes, options) };
}

async function openDevice(
  path: string,
  sizeBytes: number,
  { engine, targetIsZero }: TargetOptions,
): Promise<Target> {
  const handle = await open(path, constants.O_RDWR | EXCLUSIVE).catch(async (error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'EBUSY'
      ? await busyFailure(error, path)
      : openFailure(error, path);
  });
  try {
    await checkSize(handle, { path, sizeBytes });
    return new HandleTarget({ handle, engine, path, isZero: targetIsZero });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function busyFailure(error: unknown, path: string): Promise<TargetError> {
  const use = (await useOfDevice(path)) ?? 'it is mounted or in use';
  const what = `opening "${path}" for this restore alone`;
  const failure = targetFailure(error, { code: 'ERR_EBS_TARGET_OPEN', what, path });
  const { errno, syscall } = failure;
  const fields = { path, errno, syscall, cause: error };
  return new TargetError('ERR_EBS_TARGET_OPEN', `${failure.message}: ${use}`, fields);
}

/** Compares by reading: a device has no size in stat(2), but a byte can be read exactly where it has one. */
async function checkSize(
  handle: FileHandle,
  { path, sizeBytes }: { readonly path: string; readonly sizeBytes: number },
): Promise<void> {
  const present = await presentBytes(handle, sizeBytes).catch((error: unknown) => {
    const what = `finding the size of "${path}"`;
    throw targetFailure(error, { code: 'ERR_EBS_TARGET_OPEN', what, path });
  });
  if (present === sizeBytes) return;
  const message = `"${path}" holds ${present} bytes; the volume has ${sizeBytes}`;
  throw new TargetError('ERR_EBS_TARGET_SIZE', message, { path });
}

/** Bytes that the device has, up to `limit`: one read if it has them all, else found by halving. */
async function presentBytes(handle: FileHandle, limit: number): Promise<number> {
  if (await hasByte(handle, limit - 1)) return limit;
  let present = 0;
  let missing = limit - 1;
  while (present < missing) {
    const middle = Math.floor((present + missing) / 2);
    if (await hasByte(handle, middle)) present = middle + 1;
    else missing = middle;
  }
  return present;
}

async function hasByte(handle: FileHandle, offset: number): Promise<boolean> {
  const { bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, offset);
  return bytesRead === 1;
}
