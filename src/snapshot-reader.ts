import { Readable } from 'node:stream';
import { ZERO_BLOCK_DIGEST } from './base/digest.ts';
import { abortError } from './base/errors.ts';
import { blockOffset } from './base/units.ts';
import { connect, type Connection } from './connection.ts';
import { BlockPool } from './engine/block-pool.ts';
import type { Block, Engine } from './engine/engine.ts';
import { loadEngine } from './engine/load-engine.ts';
import { zeroBlock } from './engine/zero-block.ts';
import type { Progress, ReaderEvents, SnapshotVolume } from './events.ts';
import { jobState, type Job, type JobState } from './job.ts';
import { checkedLimits, limitsOf, type LimitsInForce } from './limits.ts';
import type { Limits, SnapshotReaderOptions } from './options.ts';
import { validateReaderOptions } from './options-validation.ts';
import { listBlocks } from './pipeline/block-listing.ts';
import type { ReadCounts } from './pipeline/download-pipeline.ts';
import { ProgressThrottle } from './pipeline/progress.ts';
import { ReadAhead, type AbsentRun, type AskedBlock } from './pipeline/read-ahead.ts';
import { takenAhead } from './pipeline/taken-ahead.ts';
import { readProgress } from './read-progress.ts';
import type { BlockPage } from './transport/transport.ts';
import { bytesWithin, firstBlockOf, spanOf, type VolumeSpan } from './volume-span.ts';

/** Blocks that the stream itself holds beside those read ahead: one when it is of bytes. */
const HIGH_WATER_MARK_BLOCKS = 4;

/** What a SnapshotReader hands out. */
type ChunkOf<As extends 'blocks' | 'bytes'> = As extends 'bytes' ? Buffer : Block;

/** A snapshot that was found readable. */
interface Opened {
  readonly volume: SnapshotVolume;
  readonly firstPage: BlockPage;
  readonly span: VolumeSpan;
}

/** The events of a SnapshotReader beside those of every Readable. */
export interface SnapshotReader<As extends 'blocks' | 'bytes'> {
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<ChunkOf<As>>;
  on<Name extends keyof ReaderEvents>(
    event: Name,
    listener: (event: ReaderEvents[Name]) => void,
  ): this;
  on(event: string | symbol, listener: (...args: never[]) => void): this;
  once<Name extends keyof ReaderEvents>(
    event: Name,
    listener: (event: ReaderEvents[Name]) => void,
  ): this;
  once(event: string | symbol, listener: (...args: never[]) => void): this;
}

/**
 * Reads the volume of a snapshot in index order, as blocks or as bytes, each block compared with its digest on the
 * engine's threads. Blocks are asked for ahead, as far as `maxInFlightBytes`, the service's quotas and the path allow.
 * The service is called with the first read, or {@link open}.
 *
 * Each block must be released, which makes room for the next; SnapshotWriter does so. Bytes are the reader's no more
 * once they are handed out. When it closes, at its end or by `destroy`, it leaves no request, socket or timer behind.
 *
 * Errors: TypeError and RangeError from the constructor; later a SnapshotError with a code of ERROR_CODES, or Node's
 * AbortError.
 */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- types Node's untyped event methods.
export class SnapshotReader<As extends 'blocks' | 'bytes' = 'blocks'>
  extends Readable
  implements Job
{
  readonly snapshotId: string;
  readonly #options: SnapshotReaderOptions<As>;
  readonly #connection: Connection;
  readonly #pool: BlockPool | undefined;
  readonly #progress: ProgressThrottle;
  readonly #startedAtMs: number;
  readonly #counts: ReadCounts = { blocksRead: 0, zeroBlocks: 0, absentBlocks: 0 };
  /** Ends the listing that opens the snapshot. */
  readonly #stop = new AbortController();
  #limits: LimitsInForce;
  #detach: () => void = () => undefined;
  #opening: Promise<Opened> | undefined;
  #opened: Opened | undefined;
  #reads: ReadAhead | undefined;
  #chunks: AsyncGenerator<Block | Buffer, void, undefined> | undefined;
  #bytesDone = 0;

  constructor(options: SnapshotReaderOptions<As>) {
    validateReaderOptions(options);
    const isOfBytes = options.as === 'bytes';
    super({ objectMode: !isOfBytes, highWaterMark: isOfBytes ? 1 : HIGH_WATER_MARK_BLOCKS });
    this.snapshotId = options.snapshotId;
    this.#options = options;
    this.#limits = limitsOf(options);
    // What is handed out as bytes nobody gives back.
    if (!isOfBytes) this.#pool = new BlockPool({ maxBytes: this.#limits.maxInFlightBytes });
    this.#connection = this.#connect(loadEngine({ engine: options.engine ?? 'auto' }));
    this.#startedAtMs = this.#connection.clock.now();
    this.#progress = new ProgressThrottle(
      () => void this.emit('progress', this.progress),
      () => this.#connection.clock.now(),
    );
    this.#obey(options.signal);
  }

  /** The volume; undefined until the event `ready`. */
  get volume(): SnapshotVolume | undefined {
    return this.#opened?.volume;
  }

  /** How far it has come: what the stream has handed on, its own few blocks included. */
  get progress(): Progress {
    const standing = {
      counts: this.#counts,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#opened?.span.bytes.length,
      elapsedMs: this.#connection.clock.now() - this.#startedAtMs,
    };
    return readProgress(standing, this.#connection);
  }

  /** The caps in force; see {@link Job.limits} for what assigning does. */
  get limits(): Limits {
    return this.#limits;
  }

  set limits(limits: Limits) {
    this.#limits = checkedLimits(limits);
    const { maxInFlightBytes } = this.#limits;
    this.#pool?.resize(maxInFlightBytes);
    this.#reads?.setMaxInFlightBytes(maxInFlightBytes);
    this.#connection.setLimits(this.#limits);
  }

  /** How the reading stands, and what has kept it from being faster. */
  get state(): JobState {
    return jobState(this.progress, this.#connection);
  }

  /**
   * Finds the snapshot and the size of its volume; what reading does by itself.
   * @throws {ServiceError} when it is not there, not completed, or may not be read. The stream is destroyed then.
   */
  async open(): Promise<SnapshotVolume> {
    try {
      return (await this.#open()).volume;
    } catch (error) {
      // Who awaits this is told already; an event that nobody listens to would end the process.
      this.destroy(this.listenerCount('error') > 0 ? (error as Error) : undefined);
      throw error;
    }
  }

  /** Destroys a reader that is not at its end, and resolves when everything is closed. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    const closed = new Promise<void>((resolve) => this.once('close', resolve));
    this.destroy();
    await closed;
  }

  override _read(): void {
    this.#chunks ??= this.#options.as === 'bytes' ? this.#bytes() : this.#blocks();
    this.#chunks.next().then(
      ({ value }) => {
        if (value === undefined) this.#progress.flush();
        this.push(value ?? null);
      },
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const reason = error ?? abortError();
    this.#stop.abort(reason);
    this.#detach();
    void this.#close(reason).then(() => callback(error));
  }

  #connect(engine: Engine): Connection {
    return connect({
      client: this.#options.client,
      transport: this.#options.transport,
      limits: this.#limits,
      engine,
      on: {
        retry: (event) => this.emit('retry', event),
        throttle: (event) => this.emit('throttle', event),
        window: (event) => this.emit('window', event),
      },
    });
  }

  #obey(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const onAbort = (): void => void this.destroy(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#detach = () => signal.removeEventListener('abort', onAbort);
    // In the next tick, so that a pipeline still gets to hear the reason.
    if (signal.aborted) process.nextTick(onAbort);
  }

  #open(): Promise<Opened> {
    this.#opening ??= this.#findVolume();
    return this.#opening;
  }

  async #findVolume(): Promise<Opened> {
    const { snapshotId, range } = this.#options;
    const startingBlockIndex = firstBlockOf(range);
    const firstPage = await this.#connection.transport.listSnapshotBlocks(
      { snapshotId, ...(startingBlockIndex === 0 ? {} : { startingBlockIndex }) },
      { signal: this.#stop.signal },
    );
    const { volumeSizeGiB } = firstPage;
    const volume = { snapshotId, volumeSizeGiB };
    this.#opened = { volume, firstPage, span: spanOf(range, volumeSizeGiB) };
    this.emit('ready', volume);
    return this.#opened;
  }

  async *#bytes(): AsyncGenerator<Buffer, void, undefined> {
    const { span } = await this.#open();
    for await (const block of this.#blocks()) {
      const { start, end } = bytesWithin(span.bytes, block.index);
      // The zero block is shared by all; whoever gets bytes may write into them.
      if (block.kind !== 'data') yield Buffer.alloc(end - start);
      else yield Buffer.from(block.data.buffer, block.data.byteOffset + start, end - start);
      block.release();
    }
  }

  async *#blocks(): AsyncGenerator<Block, void, undefined> {
    const opened = await this.#open();
    this.#reads = this.#readAhead(opened);
    for await (const step of takenAhead(this.#reads)) {
      if (step.kind === 'block') yield await this.#toBlock(step, opened.span);
      else yield* this.#toHoles(step, opened.span);
    }
  }

  #readAhead({ firstPage, span }: Opened): ReadAhead {
    const { transport } = this.#connection;
    const { snapshotId } = this;
    const reads = new ReadAhead({
      transport,
      snapshotId,
      span: span.blocks,
      list: (signal) => listBlocks({ transport, snapshotId, firstPage, span: span.blocks, signal }),
      maxInFlightBytes: this.#limits.maxInFlightBytes,
      pool: this.#pool,
      onTail: () => this.#connection.enterTail(),
    });
    // The block that failed may be far behind the one that is waited for.
    reads.signal.addEventListener('abort', () => this.destroy(reads.signal.reason as Error));
    return reads;
  }

  async #toBlock({ blockIndex, answer, done }: AskedBlock, span: VolumeSpan): Promise<Block> {
    const { data, digest } = await answer;
    const isZero = Buffer.compare(digest, ZERO_BLOCK_DIGEST) === 0;
    this.#counts.blocksRead += 1;
    if (isZero) this.#counts.zeroBlocks += 1;
    this.#passed({ first: blockIndex, end: blockIndex + 1 }, span);
    if (!isZero) return { index: blockIndex, kind: 'data', data, digest, release: done };
    done();
    return zeroBlock(blockIndex, 'zero');
  }

  *#toHoles({ first, end, done }: AbsentRun, span: VolumeSpan): Generator<Block, void, undefined> {
    done();
    if (this.#options.absentBlocks === 'omit') {
      this.#counts.absentBlocks += end - first;
      this.#passed({ first, end }, span);
      return;
    }
    for (let index = first; index < end; index += 1) {
      this.#counts.absentBlocks += 1;
      this.#passed({ first: index, end: index + 1 }, span);
      yield zeroBlock(index, 'hole');
    }
  }

  /** Counts blocks as handed on. */
  #passed({ first, end }: { first: number; end: number }, { bytes }: VolumeSpan): void {
    const endOffset = Math.min(blockOffset(end), bytes.offset + bytes.length);
    this.#bytesDone += endOffset - Math.max(blockOffset(first), bytes.offset);
    this.#progress.changed();
    this.#connection.lookAtWindow();
  }

  async #close(reason: Error): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await this.#reads?.stop(reason);
    await this.#chunks?.return().catch(() => undefined);
    this.#pool?.retire();
    await this.#connection.transport.close();
  }
}
