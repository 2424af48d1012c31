import { setMaxListeners } from 'node:events';
import { BLOCK_SIZE } from './base/constants.ts';
import { abortError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import { connect, type Connection } from './connection.ts';
import { loadEngine } from './engine/load-engine.ts';
import { ZERO_BLOCK_DATA } from './engine/zero-block.ts';
import { limitsOf } from './limits.ts';
import type { SnapshotFileOptions } from './options.ts';
import { checkRead, validateFileOptions } from './options-validation.ts';
import { BlockCache } from './pipeline/block-cache.ts';
import { BlockIndex } from './pipeline/block-index.ts';
import { isRefusedFor } from './pipeline/page-stream.ts';

/** Blocks asked for ahead of whoever reads from front to back: enough to hide the way to the service, few to be in vain. */
const READ_AHEAD_BLOCKS = 4;

/** Reads in a row, each beginning where the one before ended, after which more of them are expected. */
const SEQUENTIAL_READS = 2;

/**
 * The volume of a snapshot as a file to be read at random, for file systems and disk servers. Blocks are fetched when
 * they are needed, compared with their digest, and kept within `maxInFlightBytes`; readers of one block share its request.
 */
export class SnapshotFile {
  readonly snapshotId: string;
  readonly volumeSizeGiB: number;
  /** Bytes of the volume. */
  readonly sizeBytes: number;
  readonly #connection: Connection;
  readonly #index: BlockIndex;
  readonly #cache: BlockCache;
  readonly #stop: AbortController;
  readonly #detach: () => void;
  #closing: Promise<void> | undefined;
  /** Where the read before ended, and how many before it began where another ended. */
  #lastEnd = -1;
  #sequentialReads = 0;

  private constructor(opened: Opened) {
    const { connection, stop, options, volumeSizeGiB } = opened;
    const { transport } = connection;
    const { snapshotId, signal } = options;
    this.snapshotId = snapshotId;
    this.volumeSizeGiB = volumeSizeGiB;
    this.sizeBytes = blockOffset(volumeBlockCount(volumeSizeGiB));
    this.#connection = connection;
    this.#stop = stop;
    // Every request under way listens on this one signal.
    setMaxListeners(0, stop.signal);
    this.#index = new BlockIndex({ transport, snapshotId, signal: stop.signal });
    this.#cache = new BlockCache((blockIndex) => this.#load(blockIndex), {
      maxBytes: limitsOf(options).maxInFlightBytes,
    });
    const onAbort = (): void => void this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#detach = () => signal?.removeEventListener('abort', onAbort);
    // The answer was there already when the signal aborted.
    if (signal?.aborted === true) onAbort();
  }

  /**
   * Finds the snapshot and the size of its volume.
   * @throws TypeError or RangeError for a bad option; {@link ServiceError} when the snapshot is not there, not completed
   * or may not be read; TransportError; AbortError.
   */
  static async open(options: SnapshotFileOptions): Promise<SnapshotFile> {
    validateFileOptions(options);
    const { client, snapshotId, signal } = options;
    if (signal?.aborted === true) throw abortError(signal);
    const engine = loadEngine({ engine: options.engine ?? 'auto' });
    const limits = limitsOf(options);
    const connection = connect({ client, transport: options.transport, limits, engine, on: {} });
    const stop = new AbortController();
    try {
      const first = await connection.transport.listSnapshotBlocks({ snapshotId }, { signal });
      const { volumeSizeGiB } = first;
      return new SnapshotFile({ connection, stop, options, volumeSizeGiB });
    } catch (error) {
      await connection.transport.close();
      throw error;
    }
  }

  /**
   * Reads `length` bytes at `offset` bytes from the start, any alignment; fewer where the volume ends, none behind it.
   * @throws RangeError for a number that is none of bytes; {@link ServiceError}, TransportError or IntegrityError for the
   * way here; AbortError when the file is closed.
   */
  async readAt(offset: number, length: number): Promise<Buffer> {
    checkRead({ offset, length });
    const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, this.sizeBytes - offset)));
    await this.readInto(buffer, offset);
    return buffer;
  }

  /**
   * As {@link readAt}, into memory of the caller's, which must not be changed meanwhile. Returns how many bytes were read:
   * fewer than it holds only where the volume ends.
   */
  async readInto(target: Uint8Array, offset: number): Promise<number> {
    checkRead({ offset, length: target.byteLength });
    if (this.#stop.signal.aborted) throw abortError(this.#stop.signal);
    const end = Math.max(offset, Math.min(this.sizeBytes, offset + target.byteLength));
    this.#expectMore(offset, end);
    const pieces = Array.from(piecesOf(offset, end), async ({ blockIndex, start, stop, at }) => {
      const data = await this.#cache.get(blockIndex);
      target.set(data.subarray(start, stop), at);
    });
    await allSettled(pieces);
    return end - offset;
  }

  /** Ends what is under way, whose reads fail, and closes every connection. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#detach();
    this.#stop.abort(abortError());
    await this.#cache.settled();
    await this.#connection.transport.close();
  }

  /** Asks for the blocks behind a read, if it goes on where the ones before ended. */
  #expectMore(offset: number, end: number): void {
    this.#sequentialReads = offset === this.#lastEnd ? this.#sequentialReads + 1 : 0;
    this.#lastEnd = end;
    if (this.#sequentialReads < SEQUENTIAL_READS) return;
    const next = Math.ceil(end / BLOCK_SIZE);
    const behind = Math.min(next + READ_AHEAD_BLOCKS, volumeBlockCount(this.volumeSizeGiB));
    for (let blockIndex = next; blockIndex < behind; blockIndex += 1) {
      // Who needs it will meet the failure when asking again.
      if (!this.#cache.has(blockIndex)) this.#cache.get(blockIndex).catch(() => undefined);
    }
  }

  async #load(blockIndex: number): Promise<Uint8Array> {
    const token = await this.#index.tokenOf(blockIndex);
    if (token === undefined) return ZERO_BLOCK_DATA;
    try {
      return await this.#get(blockIndex, token);
    } catch (error) {
      if (!isRefusedFor(error, 'INVALID_BLOCK_TOKEN')) throw error;
      // Expired, and so are those listed with it; the first to find out has them listed anew for all.
      this.#index.forget(blockIndex, token);
      const renewed = await this.#index.tokenOf(blockIndex);
      if (renewed === undefined || renewed === token) throw error;
      return this.#get(blockIndex, renewed);
    }
  }

  async #get(blockIndex: number, blockToken: string): Promise<Uint8Array> {
    const { snapshotId } = this;
    const { signal } = this.#stop;
    const request = { snapshotId, blockIndex, blockToken };
    return (await this.#connection.transport.getSnapshotBlock(request, { signal })).data;
  }
}

/** What a SnapshotFile is made of. */
interface Opened {
  readonly connection: Connection;
  readonly stop: AbortController;
  readonly options: SnapshotFileOptions;
  readonly volumeSizeGiB: number;
}

/** The part of one block that a read wants, and where it belongs in what is read. */
interface Piece {
  readonly blockIndex: number;
  readonly start: number;
  readonly stop: number;
  readonly at: number;
}

function* piecesOf(offset: number, end: number): Generator<Piece, void, undefined> {
  for (let from = offset; from < end;) {
    const blockIndex = Math.floor(from / BLOCK_SIZE);
    const blockStart = blockOffset(blockIndex);
    const to = Math.min(end, blockStart + BLOCK_SIZE);
    yield { blockIndex, start: from - blockStart, stop: to - blockStart, at: from - offset };
    from = to;
  }
}

/** Waits for all, so that nothing writes to a buffer that a failed read has given back; then fails with the first. */
async function allSettled(pieces: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(pieces);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
