import { setMaxListeners } from 'node:events';
import { GIB } from './base/constants.ts';
import { abortError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import { Manifest } from './manifest/manifest.ts';
import type { DifferingRange, VerifyOptions, VerifyResult } from './options.ts';
import { validateVerifyOptions } from './options-validation.ts';
import {
  compareBlocks,
  readDigests,
  type BlockDigest,
  type Sides,
} from './pipeline/compare-blocks.ts';
import { mergeRuns } from './pipeline/merge-runs.ts';
import { ScanJob } from './scan-job.ts';
import {
  knowsAllBlocks,
  manifestDigests,
  noDigests,
  openDigestSource,
  type DigestSource,
} from './source-digests.ts';

/** Ranges that a result names; all of them are told as they are found. */
const DIFFERENCES_MAX = 100;

/**
 * Compares a snapshot with a source, with its manifest, or each block with its own digest; or, `offline`, a source with a
 * manifest, without a call to the service. Both sides are read at the same time, and no block is kept once its digest is
 * known. That contents differ is a result, not an error.
 * @throws TypeError or RangeError for a bad option, SourceError, ManifestError, {@link ServiceError} or TransportError
 * when one side cannot be read, AbortError when the signal aborts.
 */
export async function verifySnapshot(options: VerifyOptions): Promise<VerifyResult> {
  validateVerifyOptions(options);
  const { signal } = options;
  if (signal?.aborted === true) throw abortError(signal);
  const verification = new Verification(options);
  const onAbort = (): void => verification.stop(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  try {
    return await verification.run();
  } catch (error) {
    throw toldOf(error, signal);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    verification.stop();
    await verification.close();
  }
}

/** Whatever fails after an abort fails because of it. */
function toldOf(failure: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true ? abortError(signal) : failure;
}

/** One comparison under way. */
class Verification {
  readonly #options: VerifyOptions;
  readonly #job: ScanJob;
  readonly #stop = new AbortController();
  readonly #differences: DifferingRange[] = [];
  #source: DigestSource | undefined;
  #manifest: Manifest | undefined;
  #volumeSizeGiB = 0;
  #differingBytes = 0;
  #rangeCount = 0;
  #uncheckedBlocks = 0;

  constructor(options: VerifyOptions) {
    this.#options = options;
    // A source and a snapshot are read side by side.
    this.#job = new ScanJob(options, options.source === undefined ? 1 : 2);
    this.#job.onLimits = () => this.#source?.setMaxBytes(this.#job.bytesMax);
    setMaxListeners(0, this.#stop.signal);
  }

  readonly stop = (reason?: unknown): void => {
    this.#stop.abort(reason);
    this.#source?.stop();
  };

  async close(): Promise<void> {
    await this.#manifest?.close();
    await this.#job.close();
  }

  async run(): Promise<VerifyResult> {
    const { on } = this.#options;
    on?.start?.(this.#job);
    const sides = await this.#open();
    const blockCount = volumeBlockCount(this.#volumeSizeGiB);
    const found = compareBlocks(
      {
        ...sides,
        expected: within(sides.expected, blockCount),
        actual: within(sides.actual, blockCount),
      },
      {
        stop: () => this.stop(),
        onBlock: (blockIndex, isChecked) => {
          this.#job.counts.blocksDone = blockIndex + 1;
          if (!isChecked) this.#uncheckedBlocks += 1;
          this.#job.changed();
        },
      },
    );
    for await (const { firstBlock, blockCount: count, verdict } of mergeRuns(found)) {
      this.#tell({ start: blockOffset(firstBlock), length: blockOffset(count), fault: verdict });
    }
    this.#tellExcess();
    this.#job.finished();
    return this.#result();
  }

  async #open(): Promise<Sides> {
    const { source, manifest: path, offline, snapshotId } = this.#options;
    if (path !== undefined) {
      this.#manifest = await Manifest.open(path);
      this.#volumeSizeGiB = this.#manifest.facts.volumeSizeGiB;
      if (snapshotId !== undefined) this.#manifest.mustBelongTo({ snapshotId });
    }
    if (source !== undefined) {
      const { engine, bytesMax } = this.#job;
      this.#source = await openDigestSource(source, { engine, maxBytes: bytesMax });
      if (this.#stop.signal.aborted) throw abortError(this.#stop.signal);
    }
    const snapshot = offline === true ? undefined : await this.#openSnapshot(snapshotId ?? '');
    this.#job.bytesTotal = this.#volumeSizeGiB * GIB;
    const recorded =
      this.#manifest === undefined
        ? { expected: noDigests(), leftOutIsZero: false }
        : {
            expected: manifestDigests(this.#manifest),
            leftOutIsZero: knowsAllBlocks(this.#manifest),
          };
    const read = this.#source?.digests;
    if (snapshot === undefined) return { ...recorded, actual: read ?? noDigests() };
    if (read === undefined) return { ...recorded, actual: snapshot };
    return { expected: read, leftOutIsZero: true, actual: snapshot };
  }

  async #openSnapshot(snapshotId: string): Promise<AsyncIterable<BlockDigest>> {
    const { transport } = this.#job.connection;
    const { signal } = this.#stop;
    const firstPage = await transport.listSnapshotBlocks({ snapshotId }, { signal });
    const { volumeSizeGiB } = firstPage;
    this.#manifest?.mustBelongTo({ volumeSizeGiB });
    this.#volumeSizeGiB = volumeSizeGiB;
    return readDigests({
      transport,
      snapshotId,
      firstPage,
      signal,
      aheadMax: () => this.#job.blocksMax,
      stop: this.stop,
      onTail: () => this.#job.connection.enterTail(),
      onRead: () => (this.#job.counts.blocksRead += 1),
    });
  }

  /** What of a source has no place in the volume. */
  #tellExcess(): void {
    const volumeBytes = this.#volumeSizeGiB * GIB;
    const sizeBytes = this.#source?.sizeBytes() ?? 0;
    if (sizeBytes <= volumeBytes) return;
    this.#tell({ start: volumeBytes, length: sizeBytes - volumeBytes, fault: 'beyond' });
  }

  #tell(range: DifferingRange): void {
    this.#differingBytes += range.length;
    this.#rangeCount += 1;
    if (this.#differences.length < DIFFERENCES_MAX) this.#differences.push(range);
    this.#options.on?.difference?.(range);
  }

  #result(): VerifyResult {
    const { snapshotId = this.#manifest?.facts.snapshotId } = this.#options;
    const { connection, counts, elapsedMs } = this.#job;
    return {
      ...(snapshotId === undefined ? {} : { snapshotId }),
      isEqual: this.#rangeCount === 0,
      volumeSizeGiB: this.#volumeSizeGiB,
      ...(this.#source === undefined ? {} : { sourceSizeBytes: this.#source.sizeBytes() }),
      differingBytes: this.#differingBytes,
      differingRanges: this.#rangeCount,
      differences: this.#differences,
      uncheckedBlocks: this.#manifest === undefined ? 0 : this.#uncheckedBlocks,
      blocksRead: counts.blocksRead,
      retries: connection.retries,
      elapsedMs,
    };
  }
}

/** The blocks inside the volume; the rest is read all the same, for its size. */
async function* within(
  blocks: AsyncIterable<BlockDigest>,
  blockCount: number,
): AsyncGenerator<BlockDigest, void> {
  for await (const block of blocks) if (block.blockIndex < blockCount) yield block;
}
