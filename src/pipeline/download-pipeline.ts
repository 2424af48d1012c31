import { ZERO_BLOCK_DIGEST } from '../base/digest.ts';
import { abortError } from '../base/errors.ts';
import { blockOffset, volumeBlockCount } from '../base/units.ts';
import type { BlockPool } from '../engine/block-pool.ts';
import type { Target } from '../target/target.ts';
import type { BlockPage, Transport } from '../transport/transport.ts';
import { listBlocks } from './block-listing.ts';
import type { RestoreRecords } from './restore-records.ts';
import { ReadAhead, type AskedBlock, type BlockSpan, type ReadStep } from './read-ahead.ts';

/** Blocks cleared in one call of the target, so that progress shows and an abort is heard. */
const CLEAR_BLOCKS = 16;

/** What a job has read so far, in blocks. */
export interface ReadCounts {
  /** Read from the service and dealt with, zero blocks included. */
  blocksRead: number;
  /** Read and found all zero. */
  zeroBlocks: number;
  /** Absent from the snapshot, and cleared, handed on as zeros or left out by now. */
  absentBlocks: number;
}

/** What a restore has done so far, in blocks. */
export interface DownloadCounts extends ReadCounts {
  /** Not read, since the target had them already. */
  unchangedBlocks: number;
}

/** What the pipeline is handed. */
export interface DownloadPipelineOptions {
  /** Compares every block it reads with the digest it hands on. */
  readonly transport: Transport;
  readonly target: Target;
  /** What the target holds already, and is told what it holds by now. */
  readonly records?: RestoreRecords | undefined;
  readonly snapshotId: string;
  /** The listing's first page. */
  readonly firstPage: BlockPage;
  /** Bytes of blocks that may be asked for and not yet written. */
  readonly maxInFlightBytes: number;
  /** Where blocks are put on their way. Default: each in memory of its own. */
  readonly pool?: BlockPool | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each block, or run of absent ones, is dealt with. */
  readonly onChange: () => void;
  /** Called when no block will be asked for any more. */
  readonly onTail: () => void;
}

/** Brings every block of a snapshot to a target. The first failure stops everything. */
export class DownloadPipeline {
  readonly counts: DownloadCounts = {
    blocksRead: 0,
    zeroBlocks: 0,
    absentBlocks: 0,
    unchangedBlocks: 0,
  };
  readonly #options: DownloadPipelineOptions;
  readonly #reads: ReadAhead;
  readonly #running = new Set<Promise<void>>();
  /** The step begun last: in order, the next one writes after it. */
  #lastStep: Promise<void> = Promise.resolve();

  constructor(options: DownloadPipelineOptions) {
    const { firstPage, records } = options;
    this.#options = options;
    this.#reads = new ReadAhead({
      ...options,
      span: { first: 0, end: volumeBlockCount(firstPage.volumeSizeGiB) },
      list: (signal) => listBlocks({ ...options, signal }),
      skips: records === undefined ? undefined : (blockIndex) => this.#isThere(blockIndex, records),
    });
  }

  /** Changes how much may be asked for and not yet written, from the next block on. */
  setMaxInFlightBytes(maxInFlightBytes: number): void {
    this.#reads.setMaxInFlightBytes(maxInFlightBytes);
  }

  /**
   * Resolves when every byte of the volume is written, cleared or known to be zero; the target is not finished yet.
   * @throws the failure that stopped the pipeline, after every request and write has ended. To be called once.
   */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = (): void => this.#reads.fail(abortError(signal));
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort);
    try {
      this.#reads.throwIfFailed();
      for await (const step of this.#reads.steps()) this.#begin(step);
    } catch (error) {
      this.#reads.fail(error);
    } finally {
      await Promise.all(this.#running);
      signal?.removeEventListener('abort', onAbort);
    }
    this.#reads.throwIfFailed();
  }

  /** Stops everything for a reason from outside; the first failure counts. */
  fail(error: Error): void {
    this.#reads.fail(error);
  }

  async #isThere(blockIndex: number, records: RestoreRecords): Promise<boolean> {
    if (!(await records.isThere(blockIndex))) return false;
    this.#reads.throwIfFailed();
    this.counts.unchangedBlocks += 1;
    this.#options.onChange();
    return true;
  }

  /** Begins to deal with a step, which writes after the step before where the target takes bytes in order. */
  #begin(step: ReadStep): void {
    const turn = this.#options.target.isInOrder ? this.#lastStep : Promise.resolve();
    const running = this.#deal(step, turn)
      .catch((error: unknown) => this.#reads.fail(error))
      .finally(() => {
        this.#running.delete(running);
        step.done();
      });
    this.#lastStep = running;
    this.#running.add(running);
  }

  async #deal(step: ReadStep, turn: Promise<void>): Promise<void> {
    if (step.kind === 'block') return this.#copy(step, turn);
    if (!this.#options.target.isZero) return this.#clear(step, turn);
    this.counts.absentBlocks += step.end - step.first;
    this.#options.onChange();
  }

  async #copy({ blockIndex, answer }: AskedBlock, turn: Promise<void>): Promise<void> {
    const { records, onChange } = this.#options;
    const { data, digest } = await answer;
    await turn;
    this.#reads.throwIfFailed();
    const isZero = Buffer.compare(digest, ZERO_BLOCK_DIGEST) === 0;
    await this.#put({ blockIndex, data, isZero });
    records?.written(blockIndex, digest);
    this.counts.blocksRead += 1;
    if (isZero) this.counts.zeroBlocks += 1;
    onChange();
  }

  /** Zeros are cleared rather than written: the target knows how to have them for less. */
  async #put(block: { blockIndex: number; data: Uint8Array; isZero: boolean }): Promise<void> {
    const { target } = this.#options;
    const { signal } = this.#reads;
    const offset = blockOffset(block.blockIndex);
    if (!block.isZero) await target.write(offset, block.data, signal);
    else if (!target.isZero) await target.clear({ offset, length: block.data.byteLength }, signal);
  }

  async #clear({ first, end }: BlockSpan, turn: Promise<void>): Promise<void> {
    const { target, onChange } = this.#options;
    await turn;
    for (let index = first; index < end; index += CLEAR_BLOCKS) {
      this.#reads.throwIfFailed();
      const count = Math.min(CLEAR_BLOCKS, end - index);
      const range = { offset: blockOffset(index), length: blockOffset(count) };
      await target.clear(range, this.#reads.signal);
      this.counts.absentBlocks += count;
      onChange();
    }
  }
}
