import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { BLOCK_SIZE } from './base/constants.ts';
import { toBase64 } from './base/digest.ts';
import { abortError, ServiceError, SnapshotError, SourceError } from './base/errors.ts';
import { blocksIn, volumeBlockCount } from './base/units.ts';
import { connect, type Connection } from './connection.ts';
import { BlockAssembler } from './engine/block-assembler.ts';
import { BlockPool } from './engine/block-pool.ts';
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
import { failedError, waitUntilReadable } from './pipeline/completion.ts';
import { ProgressThrottle } from './pipeline/progress.ts';
import { UploadPipeline } from './pipeline/upload-pipeline.ts';
import type { UploadRecords } from './pipeline/upload-records.ts';
import { readBack } from './read-back.ts';
import { isEndOfSnapshot, tellFate } from './snapshot-fate.ts';
import type { StartSnapshotAnswer } from './transport/transport.ts';
import { UploadManifest, type UploadSource } from './upload-manifest.ts';

/** Chunks or blocks that the stream itself holds beside the budget. */
const HIGH_WATER_MARK = 8;

/** Milliseconds that the deletion of an unfinished snapshot, or a last question, may take, repeats included. */
const LAST_CALL_MS_MAX = 10_000;

/** Failures after which there is no snapshot to go on with. */
const FINAL_CODES: ReadonlySet<string | undefined> = new Set([
  'ERR_EBS_DIFFERENT',
  'ERR_EBS_SNAPSHOT_DELETED',
  'ERR_EBS_SNAPSHOT_EXPIRED',
  'ERR_EBS_SNAPSHOT_FAILED',
  'ERR_EBS_SNAPSHOT_SEALED',
  'ERR_EBS_OMIT_REFUSED',
]);

/** Failures that prove an accepted snapshot to be wrong. */
const WRONG_CODES: ReadonlySet<string | undefined> = new Set([
  'ERR_EBS_DIFFERENT',
  'ERR_EBS_SNAPSHOT_FAILED',
]);

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
  #detach: () => void = () => undefined;
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
      put: async (block) => (await this.#started()).put(block),
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
    this.#obey(options.signal);
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
    const {
      blocksSent = 0,
      zeroBlocks = 0,
      omittedBlocks = 0,
      unchangedBlocks = 0,
    } = this.#pipeline?.counts ?? {};
    const { sourceSizeBytes: bytesTotal } = this.#options;
    const verified = this.#blocksVerified;
    const bytesDone = (blocksSent + omittedBlocks + unchangedBlocks) * BLOCK_SIZE;
    const { window } = this.#connection;
    return {
      bytesDone: Math.min(bytesDone, bytesTotal ?? bytesDone),
      ...(bytesTotal === undefined ? {} : { bytesTotal }),
      bytesTransferred: blocksSent * BLOCK_SIZE,
      blocksTransferred: blocksSent,
      zeroBlocks,
      omittedBlocks,
      unchangedBlocks,
      ...(verified === undefined ? {} : { bytesVerified: verified * BLOCK_SIZE }),
      inFlight: window?.inFlight ?? 0,
      ...(window === undefined ? {} : { limitedBy: window.limitedBy }),
      retries: this.#connection.retries,
      elapsedMs: this.#connection.clock.now() - this.#startedAtMs,
    };
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
    this.#take(chunk, encoding).then(
      () => callback(),
      (error: unknown) => callback(error as Error),
    );
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

  get #blockCount(): number {
    return volumeBlockCount(this.#options.params.VolumeSize ?? 0);
  }

  #obey(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const onAbort = (): void => void this.destroy(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#detach = () => signal.removeEventListener('abort', onAbort);
    // In the next tick, so that a pipeline still gets to hear the reason.
    if (signal.aborted) process.nextTick(onAbort);
  }

  async #take(chunk: unknown, encoding: BufferEncoding): Promise<void> {
    if (await this.isSealed()) return (chunk as Partial<BlockInput>).release?.();
    if (typeof chunk === 'string') return this.#intake.takeBytes(Buffer.from(chunk, encoding));
    if (chunk instanceof Uint8Array) return this.#intake.takeBytes(chunk);
    if (chunk instanceof ArrayBuffer) return this.#intake.takeBytes(new Uint8Array(chunk));
    if (ArrayBuffer.isView(chunk)) {
      const { buffer, byteOffset, byteLength } = chunk;
      return this.#intake.takeBytes(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return this.#intake.takeBlock(chunk as BlockInput);
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
      source: await this.identifySource(),
      onFailure: (error) => void this.destroy(error),
    });
    this.#records = this.#manifest;
    return this.#manifest;
  }

  async #start(): Promise<UploadPipeline> {
    const manifest = await this.#openManifest();
    const { transport } = this.#connection;
    const snapshot = await this.#startSnapshot(manifest);
    this.#snapshot = snapshot;
    this.emit('snapshot', snapshot);
    this.#refuseOmissionIfEncrypted(snapshot);
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

  /** Starts the snapshot, or finds the one that an earlier run has started. */
  async #startSnapshot(manifest: UploadManifest | undefined): Promise<StartSnapshotAnswer> {
    const { params } = this.#options;
    const { transport } = this.#connection;
    const known = manifest?.answer;
    if (known !== undefined) {
      transport.expectVisibilityLag(Date.now() - (known.StartTime?.getTime() ?? 0));
      return known;
    }
    // Without a token a lost answer would leave a pending snapshot behind for each attempt.
    const request = manifest?.startRequest ?? {
      ...params,
      ClientToken: params.ClientToken ?? randomUUID(),
    };
    try {
      const snapshot = await transport.startSnapshot(request, { signal: this.#stop.signal });
      transport.expectVisibilityLag();
      return snapshot;
    } catch (error) {
      if (error instanceof ServiceError && !error.retryable) manifest?.startRefused();
      throw error;
    }
  }

  /** The account may encrypt by default, which only the answer tells; absent blocks would then read as noise. */
  #refuseOmissionIfEncrypted({ KmsKeyArn, SnapshotId }: StartSnapshotAnswer): void {
    if (this.#options.zeroBlocks !== 'omit' || !KmsKeyArn) return;
    throw new SnapshotError(
      'ERR_EBS_OMIT_REFUSED',
      `${SnapshotId} is encrypted by the account's default, so zero blocks cannot be omitted`,
      { snapshotId: SnapshotId },
    );
  }

  async #finish(): Promise<SnapshotResult> {
    const { params, waitUntil = 'completed' } = this.#options;
    const { transport, clock } = this.#connection;
    if (!(await this.isSealed())) await this.#sendLast();
    await this.#started();
    const request = { snapshotId: this.snapshotId ?? '', ...(await this.#records.summary()) };
    const { signal } = this.#stop;
    await this.#manifest?.advance('completing');
    const status = await transport.completeSnapshot(request, { signal });
    this.#isAccepted = true;
    if (status === 'error') throw failedError(request);
    await this.#manifest?.advance('accepted');
    if (waitUntil === 'completed') {
      await waitUntilReadable(request, { transport, clock, signal });
      // Before the manifest says that it is completed: a run that was stopped meanwhile reads back again.
      if (this.#options.verify === true) await this.#readBack(request.snapshotId);
      await this.#manifest?.advance('completed');
    }
    const { bytesTransferred, zeroBlocks, omittedBlocks, unchangedBlocks, retries, elapsedMs } =
      this.progress;
    return {
      snapshotId: request.snapshotId,
      status: waitUntil === 'completed' ? 'completed' : 'pending',
      volumeSizeGiB: params.VolumeSize ?? 0,
      changedBlocksCount: request.changedBlocksCount,
      checksum: toBase64(request.aggregateDigest),
      bytesRead: this.#intake.bytesTaken,
      bytesSent: bytesTransferred,
      zeroBlocks,
      omittedBlocks,
      unchangedBlocks,
      retries,
      elapsedMs,
    };
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
    if (bytesTaken === 0 && (form === 'bytes' || !this.mayBeEmpty)) {
      throw new SourceError('ERR_EBS_SOURCE_SIZE', 'the source is empty');
    }
    const pipeline = await this.#started();
    if (this.coversVolume) await this.#clearBehind(pipeline);
    await pipeline.drain();
  }

  /** What stands for the whole volume is followed by zeros: neither the parent's data nor an earlier run's may show. */
  async #clearBehind(pipeline: UploadPipeline): Promise<void> {
    const { blocksTaken } = this.#intake;
    if (this.#options.params.ParentSnapshotId !== undefined) {
      for (let index = blocksTaken; index < this.#blockCount; index += 1) {
        await pipeline.put(zeroBlock(index, 'hole'));
      }
    } else if (this.#manifest !== undefined) {
      await pipeline.settle();
      for await (const index of this.#manifest.sentFrom(blocksTaken)) {
        await pipeline.put(zeroBlock(index, 'hole'));
      }
    }
  }

  /** Returns the failure as it is to be told. */
  async #close(failure: Error | null): Promise<Error | null> {
    const { transport } = this.#connection;
    // The answer to StartSnapshot may have come in the very moment of the abort.
    await this.#starting?.catch(() => undefined);
    await this.#opening?.catch(() => undefined);
    await this.#pipeline?.stop(failure ?? abortError());
    this.#pool.retire();
    const { snapshotId } = this;
    const told = failure === null ? null : await this.#explain(failure);
    if (told instanceof SnapshotError) told.snapshotId ??= snapshotId;
    if (told !== null && snapshotId !== undefined && this.#mayDelete(told)) {
      // The failure that led here is the one to report; it names the snapshot that may be left behind.
      await this.#lastCall((signal) => transport.deleteSnapshot({ snapshotId }, { signal })).catch(
        () => undefined,
      );
    }
    await this.#closeManifest(told);
    await transport.close();
    return told;
  }

  /** Looks what became of a snapshot that can take nothing more; only who would go on with it needs to know. */
  async #explain(failure: Error): Promise<Error> {
    const { snapshotId } = this;
    const { transport } = this.#connection;
    if (this.#manifest === undefined || snapshotId === undefined) return failure;
    if (!isEndOfSnapshot(failure)) return failure;
    const describe = (): ReturnType<typeof transport.describeSnapshot> =>
      this.#lastCall((signal) => transport.describeSnapshot({ snapshotId }, { signal }));
    return tellFate(failure, { snapshotId, describe });
  }

  /** Leaves the manifest as the next run needs it, and says in the failure whether there can be one. */
  async #closeManifest(failure: Error | null): Promise<void> {
    const manifest = this.#manifest;
    if (manifest === undefined) return;
    const { code } = (failure ?? {}) as { code?: string };
    const isOver = FINAL_CODES.has(code);
    const isOurs = failure instanceof SnapshotError || failure?.name === 'AbortError';
    if (isOurs && !isOver && manifest.isResumable) Object.assign(failure, { resumable: true });
    try {
      if (code === 'ERR_EBS_SNAPSHOT_FAILED') await manifest.advance('failed');
      await manifest.close();
    } catch {
      // What could not be written is sent again; a failure before this one is the one to tell, and a result stays true.
    }
  }

  /** Makes one more call for a limited time: whoever has stopped the writer waits for it to close. */
  async #lastCall<Result>(call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const calling = new AbortController();
    const limit = new AbortController();
    this.#connection.clock.sleep(LAST_CALL_MS_MAX, limit.signal).then(
      () => calling.abort(),
      () => undefined,
    );
    try {
      return await call(calling.signal);
    } finally {
      limit.abort();
    }
  }

  /** An accepted snapshot may well be good, whatever stopped the waiting; one that the service failed is not. */
  #mayDelete(failure: Error): boolean {
    if (this.#options.onFailure !== 'delete') return false;
    const { code } = failure as { code?: string };
    return !this.#isAccepted || WRONG_CODES.has(code);
  }
}
