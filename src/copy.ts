import { setMaxListeners } from 'node:events';
import { abortError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import { CopyWriter } from './copy-writer.ts';
import { zeroBlock } from './engine/zero-block.ts';
import type { CopyOptions, CopyOutcome, CopyResult, CopyTarget } from './options.ts';
import { validateCopyOptions } from './options-validation.ts';
import { BlockFetcher } from './pipeline/block-fetcher.ts';
import type { BlockInput } from './pipeline/block-intake.ts';
import { eachBlock } from './pipeline/changed-blocks.ts';
import { mapAhead } from './pipeline/map-ahead.ts';
import { ScanJob } from './scan-job.ts';
import type { BlockPage } from './transport/transport.ts';

/**
 * Copies a snapshot into new ones, of other regions or accounts too: its blocks are read once, each checked against its
 * digest, and go to every target, each with a window and a manifest of its own. The slowest target sets the pace; one that
 * fails does not stop the others. Blocks that the source does not hold are left out where the copy reads as zeros there,
 * and are written as zeros where it is encrypted or has a parent.
 * @throws TypeError or RangeError for a bad option; what the source fails with; what the first target fails with, when
 * none was finished; AbortError when the signal aborts.
 */
export async function copySnapshot(options: CopyOptions): Promise<CopyResult> {
  validateCopyOptions(options);
  const { signal } = options;
  if (signal?.aborted === true) throw abortError(signal);
  // Half of the memory is for blocks on their way here, half for blocks on their way out.
  const copy = new Copy(options, new ScanJob(options, 2));
  const onAbort = (): void => copy.stop(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  try {
    return await copy.run();
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await copy.close();
  }
}

/** One copy under way. */
class Copy {
  readonly #options: CopyOptions;
  readonly #job: ScanJob;
  readonly #stop = new AbortController();
  /** Ends reading alone: the targets are told of its failure, not that they were stopped. */
  readonly #reading = new AbortController();
  #writers: readonly CopyWriter[] = [];

  constructor(options: CopyOptions, job: ScanJob) {
    this.#options = options;
    this.#job = job;
    setMaxListeners(0, this.#stop.signal, this.#reading.signal);
    job.onLimits = () => {
      const limits = { maxInFlightBytes: job.bytesMax };
      for (const writer of this.#writers) writer.limits = limits;
    };
  }

  stop(reason?: unknown): void {
    this.#stop.abort(reason);
    this.#reading.abort(reason);
  }

  /** Closes everything; a writer that was not finished stops. */
  async close(): Promise<void> {
    this.stop();
    await Promise.allSettled(this.#writers.map((writer) => writer[Symbol.asyncDispose]()));
    await this.#job.close();
  }

  async run(): Promise<CopyResult> {
    const { snapshotId, targets, on } = this.#options;
    on?.start?.(this.#job);
    const { signal } = this.#reading;
    const { transport } = this.#job.connection;
    const firstPage = await transport.listSnapshotBlocks({ snapshotId }, { signal });
    const { volumeSizeGiB } = firstPage;
    this.#job.bytesTotal = blockOffset(volumeBlockCount(volumeSizeGiB));
    this.#writers = targets.map((target, index) => this.#open(target, { index, volumeSizeGiB }));
    await Promise.all(
      this.#writers.map((writer, index) => writer.start(targets[index]?.params ?? {})),
    );
    try {
      await this.#feed(firstPage);
    } catch (error) {
      // Their manifests are kept as they are, and `done` tells the failure as each writer sees it.
      for (const writer of this.#writers) writer.destroy(error as Error);
    }
    const outcomes = await this.#outcomes();
    if (this.#options.signal?.aborted === true) throw failureOf(outcomes);
    this.#job.finished();
    return this.#result(volumeSizeGiB, outcomes);
  }

  #open(
    { params, ...target }: CopyTarget,
    { index, volumeSizeGiB }: { readonly index: number; readonly volumeSizeGiB: number },
  ): CopyWriter {
    const { snapshotId, engine, on } = this.#options;
    const options = {
      ...target,
      ...(engine === undefined ? {} : { engine }),
      params: { VolumeSize: volumeSizeGiB, ...params },
      maxInFlightBytes: this.#job.bytesMax,
      signal: this.#stop.signal,
    };
    const writer = new CopyWriter(options, { snapshotId, volumeSizeGiB });
    writer.on('snapshot', (answer) => on?.snapshot?.({ target: index, answer }));
    return writer;
  }

  /** Reads what any target lacks, in order, and hands it to all of them. */
  async #feed(firstPage: BlockPage): Promise<void> {
    const { snapshotId } = this.#options;
    const { counts, connection } = this.#job;
    const { signal } = this.#reading;
    const source = { transport: connection.transport, snapshotId, firstPage, signal };
    const fetcher = new BlockFetcher(source);
    const blocks = mapAhead(eachBlock(source), {
      work: async (listed) => {
        const { blockIndex } = listed;
        const answer = (await this.#isThereAlready(blockIndex))
          ? undefined
          : await fetcher.fetch(listed);
        return { blockIndex, answer };
      },
      aheadMax: () => this.#job.blocksMax,
      stop: () => this.#reading.abort(),
      onTail: () => connection.enterTail(),
    });
    let nextIndex = 0;
    for await (const { blockIndex, answer } of blocks) {
      if (this.#writers.every(({ destroyed }) => destroyed)) return;
      await this.#passAbsent(nextIndex, blockIndex);
      if (answer !== undefined) {
        counts.blocksRead += 1;
        await this.#hand({ index: blockIndex, ...answer }, this.#writers);
      }
      nextIndex = blockIndex + 1;
      counts.blocksDone = nextIndex;
      this.#job.changed();
    }
    await this.#passAbsent(nextIndex, volumeBlockCount(firstPage.volumeSizeGiB));
  }

  async #isThereAlready(blockIndex: number): Promise<boolean> {
    const there = await Promise.all(this.#writers.map((writer) => writer.has(blockIndex)));
    return there.every((isThere) => isThere);
  }

  /** Clears the blocks of [first, end), which the source does not hold, where a copy would not read as zeros. */
  async #passAbsent(first: number, end: number): Promise<void> {
    this.#job.counts.absentBlocks += end - first;
    const writers = this.#writers.filter(({ keepsAbsent }) => !keepsAbsent);
    if (writers.length === 0) return;
    for (let index = first; index < end; index += 1) {
      await this.#hand(zeroBlock(index, 'hole'), writers);
    }
  }

  async #hand(block: BlockInput, writers: readonly CopyWriter[]): Promise<void> {
    // Memory of the transport: nobody has to give it back.
    const { index, data, digest, kind } = block;
    const input = {
      index,
      data,
      ...(digest === undefined ? {} : { digest }),
      ...(kind === undefined ? {} : { kind }),
    };
    await Promise.all(writers.map((writer) => writer.take(input)));
  }

  async #outcomes(): Promise<readonly CopyOutcome[]> {
    const settled = await Promise.allSettled(this.#writers.map((writer) => writer.finish()));
    return settled.map((outcome) =>
      outcome.status === 'fulfilled'
        ? { result: outcome.value }
        : { error: outcome.reason as Error },
    );
  }

  #result(volumeSizeGiB: number, targets: readonly CopyOutcome[]): CopyResult {
    if (targets.every(({ result }) => result === undefined)) throw failureOf(targets);
    const { counts, connection, elapsedMs } = this.#job;
    return {
      snapshotId: this.#options.snapshotId,
      volumeSizeGiB,
      targets,
      blocksRead: counts.blocksRead,
      absentBlocks: counts.absentBlocks,
      retries: connection.retries,
      elapsedMs,
    };
  }
}

function failureOf(outcomes: readonly CopyOutcome[]): Error {
  return outcomes.find(({ error }) => error !== undefined)?.error ?? abortError();
}
