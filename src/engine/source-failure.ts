import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { SourceError } from '../base/errors.ts';

/** A system call that failed on a source, as either engine reports it. */
export interface SourceFailure {
  /** Positive number of errno(3). */
  readonly errno: number;
  readonly syscall: string;
  /** Byte of the source at which it failed; meaningless when opening. */
  readonly offset: number;
}

/** What both engines report where a read finds fewer bytes than the source had when it was opened. */
export const SHRUNK_ERRNO: number = constants.errno.ENODATA;

/** What both engines report for a pipe, socket or character device. */
export const NOT_SEEKABLE_ERRNO: number = constants.errno.ESPIPE;

/** Makes the error of a source that could not be opened. */
export function openError(path: string, failure: SourceFailure): SourceError {
  const { errno, syscall } = failure;
  return new SourceError('ERR_EBS_SOURCE_OPEN', `${path}: ${openReason(errno)}`, {
    path,
    errno,
    syscall,
  });
}

/** Makes the error of a source that failed while it was read. */
export function readError(path: string, failure: SourceFailure): SourceError {
  const { errno, syscall, offset } = failure;
  const reason =
    errno === SHRUNK_ERRNO
      ? `it became shorter while it was read: nothing is left at byte ${offset}`
      : `reading failed at byte ${offset}: ${systemText(errno)}`;
  return new SourceError('ERR_EBS_SOURCE_READ', `${path}: ${reason}`, {
    path,
    offset,
    errno,
    syscall,
  });
}

function openReason(errno: number): string {
  if (errno === constants.errno.EISDIR) return 'is a folder, not a file or block device';
  if (errno === NOT_SEEKABLE_ERRNO) {
    return 'is a pipe, socket or character device; pipe it through stdin instead';
  }
  return systemText(errno);
}

function systemText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? `system error ${errno}`;
}
