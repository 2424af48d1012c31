import { getSystemErrorMap } from 'node:util';

/** The system's text for the errno and its name, as `no space left on device (ENOSPC)`. */
export function systemReason(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno);
  return known === undefined ? message : `${known[1]} (${known[0]})`;
}
