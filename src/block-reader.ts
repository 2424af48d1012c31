import { once } from 'node:events';
import { Readable } from 'node:stream';
import { abortError } from './base/errors.ts';
import { DEFAULT_BUFFER_BYTES, slotCountFloor } from './engine/block-pool.ts';
import type { Engine, EngineReader, ReadOptions } from './engine/engine.ts';
import { loadEngine } from './engine/load-engine.ts';
import type { EngineChoice } from './options.ts';

/** Options of {@link BlockReader}. */
export interface BlockReaderOptions extends ReadOptions {
  /** Default 'auto'. */
  readonly engine?: EngineChoice;
  /** Stops reading: the stream is destroyed with an AbortError. */
  readonly signal?: AbortSignal;
}

/** Blocks that the stream itself buffers; the engine reads further ahead, within `maxBufferBytes`. */
const READ_AHEAD_BLOCKS = 4;

/**
 * Reads a file or block device as a stream of Blocks in index order: read past the page cache, zero-scanned
 * and hashed natively, holes not read at all. Each block must be released; SnapshotWriter does so.
 *
 * Emits `ready` when the source is open. Errors are SourceErrors with path, offset and errno.
 */
export class BlockReader extends Readable {
  readonly path: string;
  readonly #engine: Engine;
  readonly #options: ReadOptions;
  #maxBufferBytes: number;
  #reader: EngineReader | undefined;
  #detach: () => void = () => undefined;

  constructor(path: string, { engine, signal, ...options }: BlockReaderOptions = {}) {
    super({ objectMode: true, highWaterMark: READ_AHEAD_BLOCKS });
    this.path = path;
    this.#engine = loadEngine({ engine: engine ?? 'auto' });
    this.#options = options;
    this.#maxBufferBytes = options.maxBufferBytes ?? DEFAULT_BUFFER_BYTES;
    if (signal === undefined) return;
    const onAbort = (): void => void this.destroy(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#detach = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  }

  /** Bytes in the file or device; undefined until `ready`. */
  get sizeBytes(): number | undefined {
    return this.#reader?.sizeBytes;
  }

  /** Bytes of buffers that may be filled and not yet released; may be changed while reading. At least one block. */
  get maxBufferBytes(): number {
    return this.#maxBufferBytes;
  }

  set maxBufferBytes(maxBufferBytes: number) {
    slotCountFloor(maxBufferBytes);
    this.#maxBufferBytes = maxBufferBytes;
    this.#reader?.setMaxBufferBytes(maxBufferBytes);
  }

  /**
   * Resolves with the open reader's facts; opening begins with the constructor.
   * @throws {SourceError} ERR_EBS_SOURCE_OPEN when the path cannot be read as a disk.
   */
  async open(): Promise<EngineReader> {
    if (this.#reader === undefined) await once(this, 'ready');
    if (this.#reader === undefined) throw abortError();
    return this.#reader;
  }

  override _construct(callback: (error?: Error) => void): void {
    this.#engine.openReader(this.path, this.#options).then(
      (reader) => {
        this.#reader = reader;
        // It may have been changed while the source was being opened.
        if (this.#maxBufferBytes !== this.#options.maxBufferBytes) {
          reader.setMaxBufferBytes(this.#maxBufferBytes);
        }
        callback();
        this.emit('ready');
      },
      (error: unknown) => callback(error as Error),
    );
  }

  override _read(): void {
    this.#reader?.next().then(
      (blocks) => {
        if (blocks.length === 0) this.push(null);
        for (const block of blocks) this.push(block);
      },
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#detach();
    // Blocks that nobody took are dropped with the pool that holds them.
    const closed = this.#reader?.close() ?? Promise.resolve();
    closed.then(
      () => callback(error),
      (closeError: unknown) => callback(error ?? (closeError as Error)),
    );
  }
}
