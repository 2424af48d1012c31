import { stat } from 'node:fs/promises';
import { TargetError } from '../base/errors.ts';
import { planDevice } from './device-target.ts';
import { planExistingFile, planNewFile } from './file-target.ts';
import { planStream } from './stream-target.ts';
import { openFailure } from './system-failure.ts';
import type { TargetOptions, TargetPlan } from './target.ts';

/**
 * Looks at a target and says how it will be opened, without changing anything.
 * @param target - a path to a file or block device, or a Writable.
 * @throws {TargetError} ERR_EBS_TARGET_EXISTS when it would be written over without `force`; ERR_EBS_TARGET_OPEN when
 * it cannot be written at all.
 */
export async function planTarget(
  target: string | NodeJS.WritableStream,
  options: TargetOptions,
): Promise<TargetPlan> {
  if (typeof target !== 'string') return planStream(target);
  const found = await stat(target).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw openFailure(error, target);
  });
  if (found === undefined) return planNewFile(target, options);
  const isDevice = found.isBlockDevice();
  if (!isDevice && !found.isFile()) {
    const kind = found.isDirectory() ? 'a folder' : 'neither a regular file nor a block device';
    throw new TargetError('ERR_EBS_TARGET_OPEN', `"${target}" is ${kind}`, { path: target });
  }
  const { force, keeps } = options;
  if (!force && (isDevice || keeps?.isOurs !== true)) {
    const kind = isDevice ? 'is a block device' : 'exists';
    const message = `"${target}" ${kind} and may not be written over without force`;
    throw new TargetError('ERR_EBS_TARGET_EXISTS', message, { path: target });
  }
  return isDevice ? planDevice(target, options) : planExistingFile(target, options);
}
