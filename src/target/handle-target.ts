import type { FileHandle } from 'node:fs/promises';
import { BLOCK_SIZE } from '../base/constants.ts';
import { abortError } from '../base/errors.ts';
import { targetFailure } from './system-failure.ts';
import type { ByteRange, Target } from './target.ts';

/** Zeros written in one call; the kernel only reads them, so that all targets share them. */
const ZEROS = Buffer.alloc(2 * BLOCK_SIZE);

/** What a {@link HandleTarget} is made of. */
export interface HandleTargetOptions {
  readonly handle: FileHandle;
  readonly path: string;
  readonly isZero: boolean;
  /** Called when everything written is on the disk and the handle is closed. */
  readonly afterFinish?: () => Promise<void>;
  /** Called after the handle was closed for a failure. */
  readonly afterAbort?: () => Promise<void>;
}

/** Positioned writes through one open handle: what files and block devices have in common. */
export class HandleTarget implements Target {
  readonly isInOrder = false;
  readonly isZero: boolean;
  readonly #options: HandleTargetOptions;
  #isClosed = false;

  constructor(options: HandleTargetOptions) {
    this.#options = options;
    this.isZero = options.isZero;
  }

  get name(): string {
    return `"${this.#options.path}"`;
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    const { handle } = this.#options;
    // A write may take a part only, as when a signal arrives or the disk fills up; the next one then says why.
    for (let done = 0; done < data.byteLength;) {
      const at = offset + done;
      const { bytesWritten } = await handle
        .write(data, done, data.byteLength - done, at)
        .catch((error: unknown) => {
          throw this.#failure(error, `writing ${this.name} at byte ${at}`, at);
        });
      done += bytesWritten;
    }
  }

  async clear({ offset, length }: ByteRange, signal?: AbortSignal): Promise<void> {
    const end = offset + length;
    for (let at = offset; at < end; at += ZEROS.byteLength) {
      if (signal?.aborted === true) throw abortError(signal);
      await this.write(at, ZEROS.subarray(0, Math.min(ZEROS.byteLength, end - at)));
    }
  }

  async finish(): Promise<void> {
    try {
      await this.#options.handle.sync();
      await this.#close();
      await this.#options.afterFinish?.();
    } catch (error) {
      throw this.#failure(error, `writing ${this.name} through to the disk`);
    }
  }

  async abort(): Promise<void> {
    // The failure that led here is the one to report; closing cannot add to it.
    await this.#close().catch(() => undefined);
    await this.#options.afterAbort?.().catch(() => undefined);
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#options.handle.close();
  }

  #failure(error: unknown, what: string, offset?: number): Error {
    const { path } = this.#options;
    const at = offset === undefined ? {} : { offset };
    return targetFailure(error, { code: 'ERR_EBS_TARGET_WRITE', what, path, ...at });
  }
}
