import type { FileHandle } from 'node:fs/promises';
import { abortError } from '../base/errors.ts';
import type { ByteRange, Engine, EngineWriter } from '../engine/engine.ts';
import { targetFailure } from './system-failure.ts';
import type { Target } from './target.ts';

/** What a {@link HandleTarget} is made of. */
export interface HandleTargetOptions {
  /** Open for reading and writing; the target's from now on. */
  readonly handle: FileHandle;
  readonly engine: Engine;
  readonly path: string;
  readonly isZero: boolean;
  /** Called when everything written is on the disk and the handle is closed. */
  readonly afterFinish?: () => Promise<void>;
  /** Called after the handle was closed for a failure of which nothing is to be kept. */
  readonly afterAbort?: () => Promise<void>;
}

/** Positioned writes through one open handle: what files and block devices have in common. */
export class HandleTarget implements Target {
  readonly isInOrder = false;
  readonly isZero: boolean;
  readonly #options: HandleTargetOptions;
  readonly #writer: EngineWriter;
  #isClosed = false;

  constructor(options: HandleTargetOptions) {
    this.#options = options;
    this.#writer = options.engine.openWriter(options.handle);
    this.isZero = options.isZero;
  }

  get name(): string {
    return `"${this.#options.path}"`;
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    await this.#writer.write(offset, data).catch((error: unknown) => {
      throw this.#failure(error, 'writing', offset);
    });
  }

  async clear(range: ByteRange, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw abortError(signal);
    await this.#writer.clear(range).catch((error: unknown) => {
      throw this.#failure(error, 'clearing', range.offset);
    });
  }

  async sync(): Promise<void> {
    await this.#writer.sync().catch((error: unknown) => {
      throw this.#syncFailure(error);
    });
  }

  async finish(): Promise<void> {
    await this.sync();
    try {
      await this.#close();
      await this.#options.afterFinish?.();
    } catch (error) {
      throw this.#syncFailure(error);
    }
  }

  async abort(_reason: Error, { isKept = false } = {}): Promise<void> {
    // The failure that led here is the one to report; closing cannot add to it.
    await this.#close().catch(() => undefined);
    if (!isKept) await this.#options.afterAbort?.().catch(() => undefined);
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writer.close();
    await this.#options.handle.close();
  }

  /** @param begin - where the call began; the error knows better how far it got. */
  #failure(error: unknown, doing: string, begin: number): Error {
    const { path } = this.#options;
    const { offset = begin } = error as { offset?: number };
    const what = `${doing} ${this.name} at byte ${offset}`;
    return targetFailure(error, { code: 'ERR_EBS_TARGET_WRITE', what, path, offset });
  }

  #syncFailure(error: unknown): Error {
    const what = `writing ${this.name} through to the disk`;
    return targetFailure(error, { code: 'ERR_EBS_TARGET_WRITE', what, path: this.#options.path });
  }
}
