import { write } from 'node:fs';
import { promisify } from 'node:util';

const writeAt = promisify(write);

/**
 * Writes all of `bytes` to an open file in place. Resolves when they are the kernel's.
 * @throws a system error with the `offset` of the write that failed.
 */
export async function writeWhole(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
  // A write may take a part only, as when a signal arrives or the disk fills up; the next one then says why.
  for (let done = 0; done < bytes.length;) {
    const at = offset + done;
    const { bytesWritten } = await writeAt(fd, bytes, done, bytes.length - done, at).catch(
      (error: unknown) => {
        throw Object.assign(error as Error, { offset: at });
      },
    );
    done += bytesWritten;
  }
}
