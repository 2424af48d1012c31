import { write } from 'node:fs';
import { getSystemErrorMap, promisify } from 'node:util';
import type { SourceFailure } from './source-failure.ts';

const writeAt = promisify(write);

/** Writes all of `bytes` to an open file in place. Resolves when they are the kernel's. */
export async function writeWhole(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await writeAt(fd, bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
}

/** Makes the error that Node would throw for a write which failed in native code. */
export function writeError({ errno, syscall }: SourceFailure): NodeJS.ErrnoException {
  const [code, text] = getSystemErrorMap().get(-errno) ?? ['UNKNOWN', `system error ${errno}`];
  return Object.assign(new Error(`${code}: ${text}, ${syscall}`), { errno: -errno, code, syscall });
}
