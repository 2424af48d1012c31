import { setMaxListeners } from 'node:events';
import { ZERO_BLOCK_DIGEST } from '../base/digest.ts';
import { abortError } from '../base/errors.ts';
import { blockOffset, blocksIn, volumeBlockCount } from '../base/units.ts';
import type { Target } from '../target/target.ts';
import type { BlockPage, ListedBlock, Transport } from '../transport/transport.ts';
import { BlockFetcher } from './block-fetcher.ts';
import { listBlocks } from './block-listing.ts';
import type { RestoreRecords } from './restore-records.ts';

/** Blocks cleared in one call of the target, so that progress shows and an abort is heard. */
const CLEAR_BLOCKS = 16;

/** What a restore has done so far, in blocks. */
export interface DownloadCounts {
  /** Read from the service and dealt with, zero blocks included. */
  blocksRead: number;
  /** Read and found all zero. */
  zeroBlocks: number;
  /** Absent from the snapshot, and cleared or left out by now. */
  absentBlocks: number;
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
  #outstandingMax: number;
  readonly #outstanding = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #fetcher: BlockFetcher;
  /** The step begun last: in order, the next one writes after it. */
  #lastStep: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: DownloadPipelineOptions) {
    const { transport, snapshotId } = options;
    this.#options = options;
    this.#outstandingMax = blocksIn(options.maxInFlightBytes);
    this.#fetcher = new BlockFetcher({ transport, snapshotId, signal: this.#stop.signal });
    // Every request under way listens on this one signal; Node takes more than ten listeners for a leak.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Changes how much may be asked for and not yet written, from the next block on. */
  setMaxInFlightBytes(maxInFlightBytes: number): void {
    this.#outstandingMax = blocksIn(maxInFlightBytes);
    this.#wake?.();
  }

  /**
   * Resolves when every byte of the volume is written, cleared or known to be zero; the target is not finished yet.
   * @throws the failure that stopped the pipeline, after every request and write has ended. To be called once.
   */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = (): void => this.#fail(abortError(signal));
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort);
    try {
      this.#throwIfFailed();
      await this.#beginAll();
      this.#options.onTail();
    } catch (error) {
      this.#fail(error);
    } finally {
      await Promise.all(this.#outstanding);
      signal?.removeEventListener('abort', onAbort);
    }
    this.#throwIfFailed();
  }

  async #beginAll(): Promise<void> {
    const { firstPage, records } = this.#options;
    let nextIndex = 0;
    for await (const blocks of listBlocks({ ...this.#options, signal: this.#stop.signal })) {
      for (const block of blocks) {
        await this.#passAbsent(nextIndex, block.blockIndex);
        if (await records?.isThere(block.blockIndex)) this.#pass();
        else await this.#begin((turn) => this.#copy(block, turn));
        nextIndex = block.blockIndex + 1;
      }
    }
    await this.#passAbsent(nextIndex, volumeBlockCount(firstPage.volumeSizeGiB));
  }

  #pass(): void {
    this.#throwIfFailed();
    this.counts.unchangedBlocks += 1;
    this.#options.onChange();
  }

  /** Deals with the blocks of [first, end), which the snapshot does not hold: they read as zeros. */
  async #passAbsent(first: number, end: number): Promise<void> {
    if (first === end) return;
    if (!this.#options.target.isZero) {
      await this.#begin((turn) => this.#clear({ first, end }, turn));
      return;
    }
    this.counts.absentBlocks += end - first;
    this.#options.onChange();
  }

  /**
   * Begins a step and resolves when there is room for the next. The step gets a promise to wait for before it writes:
   * at a target that takes bytes in order, the end of the step before.
   */
  async #begin(step: (turn: Promise<void>) => Promise<void>): Promise<void> {
    const turn = this.#options.target.isInOrder ? this.#lastStep : Promise.resolve();
    const running = step(turn)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#outstanding.delete(running);
        this.#wake?.();
      });
    this.#lastStep = running;
    this.#outstanding.add(running);
    while (this.#outstanding.size >= this.#outstandingMax && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#throwIfFailed();
  }

  async #copy(block: ListedBlock, turn: Promise<void>): Promise<void> {
    const { records, onChange } = this.#options;
    const { data, digest } = await this.#fetcher.fetch(block);
    await turn;
    this.#throwIfFailed();
    const isZero = Buffer.compare(digest, ZERO_BLOCK_DIGEST) === 0;
    await this.#put({ blockIndex: block.blockIndex, data, isZero });
    records?.written(block.blockIndex, digest);
    this.counts.blocksRead += 1;
    if (isZero) this.counts.zeroBlocks += 1;
    onChange();
  }

  /** Zeros are cleared rather than written: the target knows how to have them for less. */
  async #put(block: { blockIndex: number; data: Uint8Array; isZero: boolean }): Promise<void> {
    const { target } = this.#options;
    const { blockIndex, data, isZero } = block;
    const offset = blockOffset(blockIndex);
    if (!isZero) return target.write(offset, data, this.#stop.signal);
    if (!target.isZero) await target.clear({ offset, length: data.byteLength }, this.#stop.signal);
  }

  async #clear(
    { first, end }: { readonly first: number; readonly end: number },
    turn: Promise<void>,
  ): Promise<void> {
    const { target, onChange } = this.#options;
    await turn;
    for (let index = first; index < end; index += CLEAR_BLOCKS) {
      this.#throwIfFailed();
      const count = Math.min(CLEAR_BLOCKS, end - index);
      const range = { offset: blockOffset(index), length: blockOffset(count) };
      await target.clear(range, this.#stop.signal);
      this.counts.absentBlocks += count;
      onChange();
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#stop.abort(error);
    this.#wake?.();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
