import { setMaxListeners } from 'node:events';
import { blocksIn } from '../base/units.ts';
import type { Block } from '../engine/engine.ts';
import type { Transport } from '../transport/transport.ts';
import type { Decision, UploadRecords } from './upload-records.ts';

/**
 * Blocks that may wait for their first attempt: enough that the gate never lacks one, few enough that they are sent while
 * the processor's cache still has them, and that memory follows the window.
 */
const WAITING_MAX = 16;

/** What an upload has done so far. */
export interface UploadCounts {
  blocksSent: number;
  zeroBlocks: number;
  omittedBlocks: number;
  unchangedBlocks: number;
}

/** What the pipeline is handed. */
export interface UploadPipelineOptions {
  readonly transport: Transport;
  readonly snapshotId: string;
  readonly records: UploadRecords;
  /** Bytes of blocks that may be taken and not yet acknowledged. */
  readonly maxInFlightBytes: number;
  /** Called after each block is dealt with. */
  readonly onChange: () => void;
  /** Called when no block will be added any more. */
  readonly onTail: () => void;
  /** Told once, at once, what stopped the pipeline; not told of {@link UploadPipeline.stop}. */
  readonly onFailure: (error: Error) => void;
}

/** Sends the blocks that the snapshot has not, each until it is acknowledged. The first failure stops everything. */
export class UploadPipeline {
  readonly counts: UploadCounts = {
    blocksSent: 0,
    zeroBlocks: 0,
    omittedBlocks: 0,
    unchangedBlocks: 0,
  };
  readonly #options: UploadPipelineOptions;
  #outstandingMax: number;
  readonly #outstanding = new Map<number, Promise<void>>();
  readonly #stop = new AbortController();
  /** Blocks taken that the gate has not let through once. */
  #waiting = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: UploadPipelineOptions) {
    this.#options = options;
    // Every request in flight listens to this one signal.
    setMaxListeners(0, this.#stop.signal);
    this.#outstandingMax = blocksIn(options.maxInFlightBytes);
  }

  /** Changes how much may be taken and not yet acknowledged, from the next block on. */
  setMaxInFlightBytes(maxInFlightBytes: number): void {
    this.#outstandingMax = blocksIn(maxInFlightBytes);
    this.#wake?.();
  }

  /**
   * Takes one block; undefined when there is room for the next, which then costs no promise, else resolves when there is.
   * The block is released once it is acknowledged, or when the pipeline has stopped and its request has ended. Rejects
   * with the failure that stopped the pipeline. One call at a time.
   */
  put(block: Block): Promise<void> | undefined {
    if (this.#failure !== undefined) return this.#refuse(block);
    if (block.kind !== 'data') this.counts.zeroBlocks += 1;
    // Two requests for one index must never be in flight together: the service may keep either.
    const rival = this.#outstanding.get(block.index);
    return rival === undefined ? this.#decide(block) : rival.then(() => this.#decide(block));
  }

  #decide(block: Block): Promise<void> | undefined {
    const decision = this.#options.records.decide(block);
    return decision instanceof Promise
      ? decision.then((decided) => this.#handle(block, decided))
      : this.#handle(block, decision);
  }

  #handle(block: Block, decision: Decision): Promise<void> | undefined {
    // Stopped meanwhile: who stopped it has waited for what was outstanding then, and for nothing that came later.
    if (this.#failure !== undefined) return this.#refuse(block);
    if (decision === 'omit' || decision === 'keep') {
      this.counts[decision === 'omit' ? 'omittedBlocks' : 'unchangedBlocks'] += 1;
      block.release();
      this.#options.onChange();
      return undefined;
    }
    this.#outstanding.set(block.index, this.#send(block, decision));
    return this.#isFull ? this.#room() : this.#options.records.whenReady();
  }

  #refuse(block: Block): Promise<void> {
    block.release();
    return this.#room();
  }

  /** Resolves when another block may be taken. */
  async #room(): Promise<void> {
    while (this.#isFull && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#throwIfFailed();
    await this.#options.records.whenReady();
  }

  /**
   * Resolves when every block taken has been acknowledged, and no other will come.
   * @throws the failure that stopped the pipeline, after every request has ended.
   */
  async drain(): Promise<void> {
    this.#options.onTail();
    await this.settle();
  }

  /** As {@link drain}, when others may come. */
  async settle(): Promise<void> {
    await Promise.all(this.#outstanding.values());
    this.#throwIfFailed();
  }

  /** Aborts every request and resolves when all have ended and all buffers are back. */
  async stop(reason: unknown): Promise<void> {
    this.#fail(reason);
    await Promise.all(this.#outstanding.values());
  }

  get #isFull(): boolean {
    return this.#outstanding.size >= this.#outstandingMax || this.#waiting >= WAITING_MAX;
  }

  /** Counts a block as waiting until the function returned is called (idempotent). */
  #wait(): () => void {
    let isWaiting = true;
    this.#waiting += 1;
    return () => {
      if (!isWaiting) return;
      isWaiting = false;
      this.#waiting -= 1;
      this.#wake?.();
    };
  }

  async #send(block: Block, decision: 'send' | 'resend'): Promise<void> {
    const { transport, snapshotId, records } = this.#options;
    const { index: blockIndex, data, digest } = block;
    const onAdmitted = this.#wait();
    try {
      if (decision === 'resend') await records.doubt(blockIndex);
      await transport.putSnapshotBlock(
        { snapshotId, blockIndex, data, digest },
        { signal: this.#stop.signal, onAdmitted },
      );
      records.record(blockIndex, digest);
      this.counts.blocksSent += 1;
    } catch (error) {
      if (this.#fail(error)) this.#options.onFailure(error as Error);
    } finally {
      block.release();
      this.#outstanding.delete(blockIndex);
      // One that was never admitted waits no more either.
      onAdmitted();
      this.#wake?.();
      this.#options.onChange();
    }
  }

  /** Returns whether this was the first failure. */
  #fail(error: unknown): boolean {
    if (this.#failure !== undefined) return false;
    this.#failure = { error };
    this.#stop.abort(error);
    this.#wake?.();
    return true;
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
