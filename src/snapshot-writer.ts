import { Writable } from 'node:stream';
import { abortError, SourceError } from './base/errors.ts';
import { blocksIn, volumeBlockCount } from './base/units.ts';
import { clearBehind } from './clear-behind.ts';
import { connect, type Connection } from './connection.ts';
import { destroyOnAbort } from './destroy-on-abort.ts';
import { BlockAssembler } from './engine/block-assembler.ts';
import { BlockPool } from './engine/block-pool.ts';
import type { Block } from './engine/engine.ts';
import { loadEngine } from './engine/load-engine.ts';
import { holdSlot } from './engine/slot-memory.ts';
import { zeroBlock } from './engine/zero-block.ts';
import type { Progress, UploadEvents } from './events.ts';
import { jobState, type Job, type JobState } from './job.ts';
import { checkedLimits, limitsOf, type LimitsInForce } from './limits.ts';
import type { Limits, SnapshotResult, SnapshotWriterOptions } from './options.ts';
import { validateWriterOptions } from './options-validation.ts';
import { AcknowledgedBlocks } from './pipeline/acknowledged-blocks.ts';
import { BlockIntake, type BlockInput } from './pipeline/block-intake.ts';
import { completeSnapshot, type CompletionState } from './pipeline/completion.ts';
import { ProgressThrottle } from './pipeline/progress.ts';
import { UploadPipeline } from './pipeline/upload-pipeline.ts';
import type { UploadRecords } from './pipeline/upload-records.ts';
import { readBack } from './read-back.ts';
import type { StartSnapshotAnswer } from './transport/transport.ts';
import { endUpload } from './upload-ending.ts';
import { UploadManifest, type UploadPart, type UploadSource } from './upload-manifest.ts';
import { uploadProgress } from './upload-progress.ts';
import { uploadResult } from './upload-result.ts';
import { refuseOmissionIfEncrypted, startUpload } from './upload-start.ts';

/** Chunks or blocks that the stream itself holds beside the budget. */
const HIGH_WATER_MARK = 8;

/** The events of a SnapshotWriter beside those of every Writable. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- types Node's untyped event methods.
export interface SnapshotWriter {
  on<Name extends keyof UploadEvents>(
    event: Name,
    listener: (event: UploadEvents[Name]) => void,
  ): this;
  on(event: string | symbol, listener: (...args: never[]) => void): this;
  once<Name extends keyof UploadEvents>(
    event: Name,
    listener: (event: UploadEvents[Name]) => void,
  ): this;
  once(event: string | symbol, listener: (...args: never[]) => void): this;
}

/**
 * Writes a volume into a new EBS snapshot. Takes bytes of any chunking, from the volume's start on, or blocks
 * ({@link BlockInput}) in any order; not both. StartSnapshot is called with the first of them, so that a source that
 * cannot be opened leaves nothing behind.
 *
 * `finish` fires, and `pipeline` resolves, only after CompleteSnapshot was accepted and, unless `waitUntil` says
 * otherwise, the snapshot is readable. The writer holds at most `maxInFlightBytes` of blocks, and when it closes it
 * leaves no request, socket or timer behind.
 *
 * Errors: TypeError and RangeError from the constructor, before any call; later a SnapshotError with a code of
 * ERROR_CODES, or Node's AbortError.
 */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- types Node's untyped event methods.
export class SnapshotWriter extends Writable implements Job {
  readonly #options: SnapshotWriterOptions;
  readonly #connection: Connection;
  readonly #pool: BlockPool;
  readonly #intake: BlockIntake;
  /** Opens the manifest, with the first block; undefined before that. */
  #opening: Promise<UploadManifest | undefined> | undefined;
  #manifest: UploadManifest | undefined;
  /** In memory, until a manifest takes its place. */
  #records: UploadRecords;
  readonly #progress: ProgressThrottle;
  /** Ends whatever is under way outside the pipeline. */
  readonly #stop = new AbortController();
  readonly #startedAtMs: number;
  readonly #outcome: Promise<SnapshotResult>;
  #settle!: { resolve: (result: SnapshotResult) => void; reject: (error: Error) => void };
  /** Makes the caller's signal forget this writer. */
  readonly #detach: () => void;
  /** What `#start` comes to, once it has been called. */
  #starting: Promise<UploadPipeline> | undefined;
  #snapshot: StartSnapshotAnswer | undefined;
  #pipeline: UploadPipeline | undefined;
  #limits: LimitsInForce;
  #isAccepted = false;
  /** Undefined before reading back begins. */
  #blocksVerified: number | undefined;
  #result: SnapshotResult | undefined;

  constructor(options: SnapshotWriterOptions) {
    validateWriterOptions(options);
    super({ objectMode: true, highWaterMark: HIGH_WATER_MARK });
    this.#options = options;
    this.#limits = limitsOf(options);
    this.#records = new AcknowledgedBlocks({ omitsZeroBlocks: options.zeroBlocks === 'omit' });
    this.#pool = new BlockPool({ maxBytes: this.#limits.maxInFlightBytes });
    const engine = loadEngine({ engine: options.engine ?? 'auto' });
    this.#connection = connect({
      client: options.client,
      transport: options.transport,
      limits: this.#limits,
      engine,
      on: {
        retry: (event) => this.emit('retry', event),
        throttle: (event) => this.emit('throttle', event),
        window: (event) => this.emit('window', event),
      },
    });
    this.#intake = new BlockIntake({
      engine,
      assembler: new BlockAssembler(this.#pool),
      hold: holdSlot,
      zeroBlock,
      blockCountMax: this.#blockCount,
      range: this.#part?.range,
      put: (block) => this.#put(block),
      onFailure: (error) => void this.destroy(error),
      signal: this.#stop.signal,
    });
    this.#startedAtMs = this.#connection.clock.now();
    this.#progress = new ProgressThrottle(
      () => void this.emit('progress', this.progress),
      () => this.#connection.clock.now(),
    );
    this.#outcome = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#outcome.catch(() => undefined);
    this.#detach = destroyOnAbort(this, options.signal);
  }

  /** StartSnapshot's answer; undefined until the event `snapshot`. */
  get snapshot(): StartSnapshotAnswer | undefined {
    return this.#snapshot;
  }

  /** The snapshot's id; undefined until the event `snapshot`. */
  get snapshotId(): string | undefined {
    return this.#snapshot?.SnapshotId;
  }

  /** How far the upload has come, now. */
  get progress(): Progress {
    return uploadProgress({
      counts: this.#pipeline?.counts,
      blocksVerified: this.#blocksVerified,
      bytesTotal: this.#options.sourceSizeBytes,
      startedAtMs: this.#startedAtMs,
      connection: this.#connection,
    });
  }

  /** The caps in force; see {@link Job.limits} for what assigning does. */
  get limits(): Limits {
    return this.#limits;
  }

  set limits(limits: Limits) {
    this.#limits = checkedLimits(limits);
    const { maxInFlightBytes } = this.#limits;
    this.#pool.resize(maxInFlightBytes);
    this.#pipeline?.setMaxInFlightBytes(maxInFlightBytes);
    this.#connection.setLimits(this.#limits);
  }

  /** How the upload stands, and what has kept it from being faster. */
  get state(): JobState {
    return jobState(this.progress, this.#connection);
  }

  /**
   * Resolves when the snapshot is finished and everything is closed; to be awaited at any time.
   * @throws what the stream was destroyed with.
   */
  done(): Promise<SnapshotResult> {
    return this.#outcome;
  }

  /** Destroys an unfinished writer, and resolves when everything is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    const closed = new Promise<void>((resolve) => this.once('close', resolve));
    this.destroy();
    await closed;
  }

  override _write(
    chunk: unknown,
    encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    let taken: Promise<void> | undefined;
    try {
      taken = this.#take(chunk, encoding);
    } catch (error) {
      callback(error as Error);
      return;
    }
    if (taken === undefined) callback();
    else taken.then(() => callback(), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#finish().then(
      (result) => {
        this.#result = result;
        this.#progress.flush();
        callback();
      },
      (error: unknown) => callback(error as Error),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const failure = error ?? (this.#result === undefined ? abortError() : null);
    this.#stop.abort(failure);
    this.#detach();
    void this.#close(failure).then((told) => {
      if (this.#result === undefined) this.#settle.reject(told ?? abortError());
      else this.#settle.resolve(this.#result);
      // Node takes a writer that was ended and then destroyed without an error for a finished one, and a pipeline
      // would resolve. So whoever listens is told; with no listener, closing stays as silent as for any stream.
      callback(this.listenerCount('error') > 0 ? told : error && told);
    });
  }

  /** What is read, where that is a file or device. */
  protected identifySource(): Promise<UploadSource | undefined> {
    return Promise.resolve(undefined);
  }

  /** Whether what is written stands for the whole volume, so that zeros follow it; blocks stand for themselves. */
  protected get coversVolume(): boolean {
    return this.#intake.form === 'bytes';
  }

  /** Whether an earlier run has sent every block, and what is written now is not needed. */
  protected async isSealed(): Promise<boolean> {
    if (this.#options.resume !== true) return false;
    return (await this.#openManifest())?.isSealed === true;
  }

  /** Whether nothing written is as it should be: by blocks it is a copy of the parent; otherwise a mistake upstream. */
  protected get mayBeEmpty(): boolean {
    return this.#options.params.ParentSnapshotId !== undefined;
  }

  /** Starts the snapshot now, or finds the one of an earlier run, and resolves with StartSnapshot's answer. */
  protected async startNow(): Promise<StartSnapshotAnswer> {
    await this.#started();
    if (this.#snapshot === undefined) throw abortError();
    return this.#snapshot;
  }

  /** Whether the manifest says that a block of this index was sent. */
  protected async isRecorded(blockIndex: number): Promise<boolean> {
    return (await (await this.#openManifest())?.isWritten(blockIndex)) ?? false;
  }

  /** The first block behind what is written, where that stands for the whole volume, or for the range of a part. */
  protected get sourceEndBlock(): number {
    return (this.#part?.range.firstBlock ?? 0) + this.#intake.blocksTaken;
  }

  /** Blocks that an earlier run has sent, or may have. Before the first block of this one. */
  protected async *sentBefore(): AsyncGenerator<number, void, undefined> {
    if (this.#options.resume === true) yield* (await this.#openManifest())?.sentBefore() ?? [];
  }

  get #part(): UploadPart | undefined {
    const { snapshotId, range } = this.#options;
    if (snapshotId === undefined || range === undefined) return undefined;
    const { firstBlock = 0, endBlock = this.#blockCount } = range;
    return { snapshotId, range: { firstBlock, endBlock } };
  }

  get #blockCount(): number {
    return volumeBlockCount(this.#options.params.VolumeSize ?? 0);
  }

  /** Undefined when the next chunk or block may follow at once, which then costs no promise. */
  #take(chunk: unknown, encoding: BufferEncoding): Promise<void> | undefined {
    return this.#options.resume === true
      ? this.#takeUnlessSealed(chunk, encoding)
      : this.#intake.take(chunk, encoding);
  }

  async #takeUnlessSealed(chunk: unknown, encoding: BufferEncoding): Promise<void> {
    if (await this.isSealed()) return (chunk as Partial<BlockInput>).release?.();
    await this.#intake.take(chunk, encoding);
  }

  #put(block: Block): Promise<void> | undefined {
    if (this.#pipeline !== undefined) return this.#pipeline.put(block);
    return this.#started().then((pipeline) => pipeline.put(block));
  }

  /** The pipeline, once StartSnapshot has been answered. */
  #started(): Promise<UploadPipeline> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  #openManifest(): Promise<UploadManifest | undefined> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<UploadManifest | undefined> {
    const { manifest: path, resume = false, base, params, zeroBlocks = 'write' } = this.#options;
    if (path === undefined) return undefined;
    this.#manifest = await UploadManifest.open({
      path,
      isResume: resume,
      basePath: base,
      params,
      zeroBlocks,
      part: this.#part,
      source: await this.identifySource(),
      onFailure: (error) => void this.destroy(error),
    });
    this.#records = this.#manifest;
    return this.#manifest;
  }

  async #start(): Promise<UploadPipeline> {
    const manifest = await this.#openManifest();
    const { transport } = this.#connection;
    const snapshot = await startUpload({
      options: this.#options,
      manifest,
      connection: this.#connection,
      signal: this.#stop.signal,
    });
    this.#snapshot = snapshot;
    this.emit('snapshot', snapshot);
    refuseOmissionIfEncrypted(snapshot, this.#options);
    await manifest?.started(snapshot);
    this.#pipeline = new UploadPipeline({
      transport,
      snapshotId: snapshot.SnapshotId,
      records: this.#records,
      maxInFlightBytes: this.#limits.maxInFlightBytes,
      onChange: () => {
        this.#progress.changed();
        this.#connection.lookAtWindow();
      },
      onTail: () => this.#connection.enterTail(),
      onFailure: (error) => void this.destroy(error),
    });
    return this.#pipeline;
  }

  async #finish(): Promise<SnapshotResult> {
    const { params, waitUntil = 'completed' } = this.#options;
    const { transport, clock } = this.#connection;
    if (!(await this.isSealed())) await this.#sendLast();
    await this.#started();
    const request = { snapshotId: this.snapshotId ?? '', ...(await this.#records.summary()) };
    const finished = (status: SnapshotResult['status']): SnapshotResult =>
      uploadResult(request, {
        volumeSizeGiB: params.VolumeSize ?? 0,
        status,
        bytesRead: this.#intake.bytesTaken,
        progress: this.progress,
      });
    if (this.#part !== undefined) {
      this.#mustBeWhole(this.#part, request.changedBlocksCount);
      await this.#manifest?.advance('sent');
      return finished('sent');
    }
    const { signal } = this.#stop;
    const onState = async (state: CompletionState): Promise<void> => {
      if (state === 'accepted') this.#isAccepted = true;
      // Before the manifest says that it is completed: a run that was stopped meanwhile reads back again.
      if (state === 'completed' && this.#options.verify === true) {
        await this.#readBack(request.snapshotId);
      }
      await this.#manifest?.advance(state);
    };
    await completeSnapshot(request, { transport, clock, signal, waitUntil, onState });
    return finished(waitUntil === 'completed' ? 'completed' : 'pending');
  }

  /** Whoever completes the snapshot relies on it that nothing of the range is missing. */
  #mustBeWhole({ range }: UploadPart, writtenCount: number): void {
    const missing = range.endBlock - range.firstBlock - writtenCount;
    if (this.#options.zeroBlocks === 'omit' || missing === 0) return;
    const message = `${missing} blocks of the range were not written`;
    throw new SourceError('ERR_EBS_SOURCE_SIZE', message);
  }

  /** Reads the snapshot and compares it with what the service acknowledged. */
  async #readBack(snapshotId: string): Promise<void> {
    const { params } = this.#options;
    this.#blocksVerified = 0;
    await readBack({
      transport: this.#connection.transport,
      snapshotId,
      expected: this.#records.digests(),
      leftOutIsZero: this.#manifest?.knowsAllBlocks ?? params.ParentSnapshotId === undefined,
      aheadMax: () => blocksIn(this.#limits.maxInFlightBytes),
      signal: this.#stop.signal,
      onTail: () => this.#connection.enterTail(),
      onRead: () => {
        this.#blocksVerified = (this.#blocksVerified ?? 0) + 1;
        this.#progress.changed();
      },
    });
  }

  /** Sends what is left of the source, and what must follow it, until all of it is acknowledged. */
  async #sendLast(): Promise<void> {
    await this.#intake.finish();
    const { form, bytesTaken } = this.#intake;
    if (bytesTaken === 0 && this.#part === undefined && (form === 'bytes' || !this.mayBeEmpty)) {
      throw new SourceError('ERR_EBS_SOURCE_SIZE', 'the source is empty');
    }
    const pipeline = await this.#started();
    const omitsZeroBlocks = this.#options.zeroBlocks === 'omit';
    const { ParentSnapshotId } = this.#options.params;
    if (this.coversVolume) {
      await clearBehind(pipeline, {
        firstBlock: this.sourceEndBlock,
        endBlock: this.#part?.range.endBlock ?? this.#blockCount,
        // Whether a part's snapshot has a parent, nothing tells.
        mayShowParent: this.#part === undefined ? ParentSnapshotId !== undefined : !omitsZeroBlocks,
        manifest: this.#manifest,
      });
    }
    await pipeline.drain();
  }

  /** Ends what is under way, and returns the failure as it is to be told. */
  async #close(failure: Error | null): Promise<Error | null> {
    // The answer to StartSnapshot may have come in the very moment of the abort.
    await this.#starting?.catch(() => undefined);
    await this.#opening?.catch(() => undefined);
    await this.#pipeline?.stop(failure ?? abortError());
    this.#pool.retire();
    return endUpload(failure, {
      connection: this.#connection,
      manifest: this.#manifest,
      snapshotId: this.snapshotId,
      isAccepted: this.#isAccepted,
      onFailure: this.#options.onFailure ?? 'keep',
    });
  }
}
