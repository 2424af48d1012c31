import { BLOCK_SIZE } from '../base/constants.ts';
import { abortError, TargetError } from '../base/errors.ts';
import { targetFailure } from './system-failure.ts';
import type { ByteRange } from '../engine/engine.ts';
import type { Target, TargetPlan } from './target.ts';

/** Node's own Writables can be destroyed; not every NodeJS.WritableStream can. */
interface OutputStream extends NodeJS.WritableStream {
  destroy?(error: Error): unknown;
}

const NAME = 'the output stream';

/**
 * Plans a stream that is handed in. It is ended when all is written and destroyed when the restore fails; a process's
 * own output is neither ended nor destroyed.
 * @throws {TargetError} ERR_EBS_TARGET_OPEN when it was ended or destroyed already.
 */
export function planStream(stream: NodeJS.WritableStream): TargetPlan {
  if (!stream.writable) {
    throw new TargetError(
      'ERR_EBS_TARGET_OPEN',
      `${NAME} was ended or destroyed before the first byte`,
    );
  }
  return { open: () => Promise.resolve(new StreamTarget(stream)) };
}

/** Bytes to a Writable, from first to last, no faster than it takes them. */
export class StreamTarget implements Target {
  readonly name = NAME;
  readonly isInOrder = true;
  /** Zeros are bytes here like any others. */
  readonly isZero = false;
  readonly #stream: OutputStream;
  #offset = 0;
  #failure: TargetError | undefined;
  #onFailure: ((failure: TargetError) => void) | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    stream.on('error', this.#fail);
    stream.on('close', this.#closed);
  }

  async write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (offset !== this.#offset) {
      throw new RangeError(`byte ${offset} cannot follow byte ${this.#offset} of a stream`);
    }
    // Waits for the stream to let go of the bytes, not only for room: until then they count in the job's memory.
    await this.#settled(signal, (done) => this.#stream.write(data, done));
    this.#offset += data.byteLength;
  }

  async clear({ offset, length }: ByteRange, signal?: AbortSignal): Promise<void> {
    for (let done = 0; done < length; done += BLOCK_SIZE) {
      // Fresh zeros each time: whoever reads a stream owns what it gives and may change it.
      await this.write(offset + done, Buffer.alloc(Math.min(BLOCK_SIZE, length - done)), signal);
    }
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  async finish(signal?: AbortSignal): Promise<void> {
    if (!this.#isProcessOutput) {
      await this.#settled(signal, (done) => {
        this.#stream.once('finish', done);
        this.#stream.end();
      });
    }
    this.#stream.removeListener('error', this.#fail);
    this.#stream.removeListener('close', this.#closed);
  }

  abort(reason: Error): Promise<void> {
    if (!this.#isProcessOutput) this.#stream.destroy?.(reason);
    // The error listener stays: what the stream has to say of its own end must not end the process.
    this.#stream.removeListener('close', this.#closed);
    return Promise.resolve();
  }

  get #isProcessOutput(): boolean {
    return this.#stream === process.stdout || this.#stream === process.stderr;
  }

  /** Runs one step of the stream and waits for its callback, a failure of the stream, or the signal. */
  async #settled(
    signal: AbortSignal | undefined,
    step: (done: (error?: Error | null) => void) => unknown,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (signal?.aborted === true) throw abortError(signal);
    let onAbort = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        onAbort = () => reject(abortError(signal));
        signal?.addEventListener('abort', onAbort);
        this.#onFailure = reject;
        step((error) => {
          if (error) this.#fail(error);
          else resolve();
        });
      });
    } finally {
      this.#onFailure = undefined;
      signal?.removeEventListener('abort', onAbort);
    }
  }

  readonly #fail = (error: Error): void => {
    const what = `writing ${NAME} at byte ${this.#offset}`;
    const code = 'ERR_EBS_TARGET_WRITE';
    this.#failure ??= targetFailure(error, { code, what, offset: this.#offset });
    this.#onFailure?.(this.#failure);
  };

  readonly #closed = (): void => this.#fail(new Error('it was closed before the last byte'));
}
