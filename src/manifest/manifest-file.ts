import { constants, open, type FileHandle } from 'node:fs/promises';
import { ManifestError, type ErrorCode } from '../base/errors.ts';
import { systemReason } from '../base/system-reason.ts';

/** The file of a manifest: positioned reads and writes that are whole or fail, and say where. */
export interface ManifestFile {
  readonly path: string;
  /** Fills `bytes` from `offset` on; returns how many there were, fewer than asked for only at the end of the file. */
  read(bytes: Buffer, offset: number): Promise<number>;
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Resolves when all that was written so far would outlive the machine. */
  sync(): Promise<void>;
  /** Bytes in the file, holes included. */
  size(): Promise<number>;
  /** Makes the file `sizeBytes` long; what it gains is a hole. */
  resize(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** How a manifest's file is opened: to be read, to be written and there already, or there or not. */
export type OpenMode = 'read' | 'write' | 'write-or-create';

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  'write-or-create': constants.O_RDWR | constants.O_CREAT,
};

/**
 * Opens a regular file.
 * @throws {ManifestError} ERR_EBS_MANIFEST_OPEN with the errno.
 */
export async function openHandle(path: string, mode: OpenMode): Promise<FileHandle> {
  const handle = await open(path, FLAGS[mode], 0o600).catch((error: unknown) => {
    throw manifestFailure(error, {
      code: 'ERR_EBS_MANIFEST_OPEN',
      what: `opening "${path}"`,
      path,
    });
  });
  const stats = await handle.stat();
  if (stats.isFile()) return handle;
  await handle.close();
  const message = `"${path}" is not a regular file, as a manifest is`;
  throw new ManifestError('ERR_EBS_MANIFEST_OPEN', message, { path });
}

/** A {@link ManifestFile} over an open handle. */
export class HandleFile implements ManifestFile {
  readonly path: string;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.path = path;
  }

  async read(bytes: Buffer, offset: number): Promise<number> {
    let done = 0;
    while (done < bytes.byteLength) {
      const at = offset + done;
      const { bytesRead } = await this.#attempt('reading', at, () =>
        this.#handle.read(bytes, done, bytes.byteLength - done, at),
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    // A write may take a part only, as when the disk fills up; the next one then says why.
    for (let done = 0; done < bytes.byteLength;) {
      const at = offset + done;
      const { bytesWritten } = await this.#attempt('writing', at, () =>
        this.#handle.write(bytes, done, bytes.byteLength - done, at),
      );
      done += bytesWritten;
    }
  }

  async sync(): Promise<void> {
    await this.#attempt('syncing', undefined, () => this.#handle.datasync());
  }

  async size(): Promise<number> {
    const { size } = await this.#attempt('examining', undefined, () => this.#handle.stat());
    return size;
  }

  async resize(sizeBytes: number): Promise<void> {
    await this.#attempt('extending', undefined, () => this.#handle.truncate(sizeBytes));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #attempt<Result>(
    doing: string,
    offset: number | undefined,
    call: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await call();
    } catch (error) {
      const place = offset === undefined ? '' : ` at byte ${offset}`;
      const what = `${doing} "${this.path}"${place}`;
      const code = 'ERR_EBS_MANIFEST_IO';
      throw manifestFailure(error, { code, what, path: this.path, offset });
    }
  }
}

/** Makes a system call's failure a ManifestError with path, errno and syscall. */
export function manifestFailure(
  error: unknown,
  call: {
    readonly code: ErrorCode;
    /** What was tried, as `opening "vol.manifest"`. */
    readonly what: string;
    readonly path: string;
    readonly offset?: number | undefined;
  },
): ManifestError {
  const { code, what, path, offset } = call;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  return new ManifestError(code, `${what} failed: ${systemReason(error)}`, {
    cause: error,
    path,
    offset,
    errno: errno === undefined ? undefined : Math.abs(errno),
    syscall,
  });
}
