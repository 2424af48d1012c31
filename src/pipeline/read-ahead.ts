import { setMaxListeners } from 'node:events';
import { blocksIn } from '../base/units.ts';
import type { BlockPool, Lease } from '../engine/block-pool.ts';
import type { BlockAnswer, ListedBlock, Transport } from '../transport/transport.ts';
import { BlockFetcher } from './block-fetcher.ts';

/** Blocks from `first` on, `end` excluded. */
export interface BlockSpan {
  readonly first: number;
  readonly end: number;
}

/** What a {@link ReadAhead} is handed. */
export interface ReadAheadOptions {
  /** Compares every block it reads with the digest it hands on. */
  readonly transport: Transport;
  readonly snapshotId: string;
  /** The blocks to read, page by page in ascending order, all within `span`; no request outlives the signal. */
  readonly list: (signal: AbortSignal) => AsyncIterable<readonly ListedBlock[]>;
  /** Where blocks that are not listed count as absent. */
  readonly span: BlockSpan;
  /** Bytes of blocks that may be asked for and not yet done with. */
  readonly maxInFlightBytes: number;
  /** Tells of a listed block whether it need not be read; it is then passed over. Default: all are read. */
  readonly skips?: ((blockIndex: number) => Promise<boolean>) | undefined;
  /** Where the blocks are put. Default: each in memory of its own. */
  readonly pool?: BlockPool | undefined;
  /** Called when no block will be asked for any more. */
  readonly onTail: () => void;
}

/** A block that was asked for. */
export interface AskedBlock {
  readonly kind: 'block';
  readonly blockIndex: number;
  /** Rejects with what has stopped everything, this block's own failure or another's. */
  readonly answer: Promise<BlockAnswer>;
  /** Says that the bytes are needed no more: makes room for the next block. To be called once the answer is there. Idempotent. */
  readonly done: () => void;
}

/** A run of blocks that the snapshot does not hold: they read as zeros. */
export interface AbsentRun extends BlockSpan {
  readonly kind: 'absent';
  /** As for a block: what is done about the run counts as one block. */
  readonly done: () => void;
}

/** What comes next in the volume. */
export type ReadStep = AskedBlock | AbsentRun;

/**
 * Reads the blocks of a snapshot ahead of whoever uses them: under one budget, in index order, with expired tokens
 * renewed. The first failure stops everything.
 */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #fetcher: BlockFetcher;
  readonly #stop = new AbortController();
  /** Requests under way, which {@link stop} waits for. */
  readonly #asked = new Set<Promise<unknown>>();
  #outstanding = 0;
  #outstandingMax: number;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: ReadAheadOptions) {
    const { transport, snapshotId } = options;
    this.#options = options;
    this.#outstandingMax = blocksIn(options.maxInFlightBytes);
    this.#fetcher = new BlockFetcher({ transport, snapshotId, signal: this.#stop.signal });
    // Every request under way listens on this one signal; Node takes more than ten listeners for a leak.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Aborts with the first failure. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Changes how much may be asked for and not yet done with, from the next block on. */
  setMaxInFlightBytes(maxInFlightBytes: number): void {
    this.#outstandingMax = blocksIn(maxInFlightBytes);
    this.#options.pool?.resize(maxInFlightBytes);
    this.#wake?.();
  }

  /**
   * Yields the volume from the first block of the span to the last, each block as soon as it was asked for. Whoever
   * takes the next step at once, before this one is done, is what makes it read ahead. To be called once.
   * @throws the failure that stopped it.
   */
  async *steps(): AsyncGenerator<ReadStep, void, undefined> {
    const { list, span, skips, onTail } = this.#options;
    let nextIndex = span.first;
    try {
      for await (const blocks of list(this.#stop.signal)) {
        for (const block of blocks) {
          yield* this.#absent({ first: nextIndex, end: block.blockIndex });
          if ((await skips?.(block.blockIndex)) !== true) yield await this.#ask(block);
          nextIndex = block.blockIndex + 1;
        }
      }
      yield* this.#absent({ first: nextIndex, end: span.end });
      onTail();
    } catch (error) {
      this.fail(error);
      this.throwIfFailed();
    }
  }

  /** Stops everything for a reason; the first counts. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#stop.abort(error);
    this.#wake?.();
  }

  /** @throws what has stopped everything. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** As {@link fail}, and resolves when every request for a block has ended. */
  async stop(reason: unknown): Promise<void> {
    this.fail(reason);
    await Promise.all(this.#asked);
  }

  async *#absent({ first, end }: BlockSpan): AsyncGenerator<AbsentRun, void, undefined> {
    if (first >= end) return;
    await this.#room();
    yield { kind: 'absent', first, end, done: this.#occupy() };
  }

  async #ask(block: ListedBlock): Promise<AskedBlock> {
    await this.#room();
    const lease = await this.#options.pool?.lease(this.#stop.signal);
    const answer = this.#fetch(block, lease);
    const ended = answer.then(
      () => undefined,
      () => lease?.release(),
    );
    this.#asked.add(ended);
    void ended.then(() => this.#asked.delete(ended));
    return { kind: 'block', blockIndex: block.blockIndex, answer, done: this.#occupy(lease) };
  }

  async #fetch(block: ListedBlock, lease: Lease | undefined): Promise<BlockAnswer> {
    try {
      return await this.#fetcher.fetch(block, lease?.bytes);
    } catch (error) {
      this.fail(error);
      throw this.#failure?.error;
    }
  }

  /** Resolves when one more may be asked for. */
  async #room(): Promise<void> {
    while (this.#outstanding >= this.#outstandingMax && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.throwIfFailed();
  }

  /** Takes the place of one block until the function returned is called. */
  #occupy(lease?: Lease): () => void {
    let isDone = false;
    this.#outstanding += 1;
    return () => {
      if (isDone) return;
      isDone = true;
      this.#outstanding -= 1;
      lease?.release();
      this.#wake?.();
    };
  }
}
