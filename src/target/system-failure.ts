import { TargetError, type ErrorCode } from '../base/errors.ts';
import { systemReason } from '../base/system-reason.ts';

/** What is known of a system call that failed. */
export interface FailedCall {
  readonly code: ErrorCode;
  /** What was tried, as `writing "disk.img"`; the message goes on with why it failed. */
  readonly what: string;
  readonly path?: string;
  /** Bytes from the start of the target. */
  readonly offset?: number;
}

/** Turns what a system call threw into one sentence with path, errno and syscall. */
export function targetFailure(error: unknown, call: FailedCall): TargetError {
  const { code, what, path, offset } = call;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  return new TargetError(code, `${what} failed: ${systemReason(error)}`, {
    cause: error,
    path,
    offset,
    errno: errno === undefined ? undefined : Math.abs(errno),
    syscall,
  });
}

/** As {@link targetFailure}, for a path that could not be opened for writing. */
export function openFailure(error: unknown, path: string): TargetError {
  const what = `opening "${path}" for writing`;
  return targetFailure(error, { code: 'ERR_EBS_TARGET_OPEN', what, path });
}
