import { BLOCK_SIZE } from '../base/constants.ts';
import type { BlockPool, Lease } from './block-pool.ts';

/**
 * Cuts a stream of bytes of any chunking into blocks, with the one copy that re-chunking needs.
 *
 * `push` is the plain way. `copyFrom` and `takeBlock` are the same without a promise, for callers who mind the hop:
 *
 *     let offset = 0;
 *     while (offset < chunk.length) {
 *       const copied = assembler.copyFrom(chunk, offset);
 *       if (copied === 0) await assembler.ready(signal);
 *       offset += copied;
 *       const block = assembler.takeBlock();
 *       if (block !== undefined) send(block);
 *     }
 */
export class BlockAssembler {
  readonly #pool: BlockPool;
  /** The block being filled. */
  #lease: Lease | undefined;
  /** Bytes in it. */
  #filledBytes = 0;
  #bytesTaken = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** Bytes copied so far, over all blocks. */
  get bytesTaken(): number {
    return this.#bytesTaken;
  }

  /**
   * Copies all of `chunk` and yields each block that becomes full, waiting for free slots on the way. Whoever gets a
   * lease owns it.
   * @throws AbortError as soon as `signal` aborts while it waits.
   */
  async *push(chunk: Uint8Array, signal?: AbortSignal): AsyncGenerator<Lease> {
    let offset = 0;
    while (offset < chunk.length) {
      const copied = this.copyFrom(chunk, offset);
      if (copied === 0) await this.ready(signal);
      offset += copied;
      const block = this.takeBlock();
      if (block !== undefined) yield block;
    }
  }

  /**
   * Copies from `chunk`, beginning at `offset`, until it is used up or the block is full. Returns the bytes copied: 0
   * when no slot is free (see `ready`), or when a full block waits to be taken.
   */
  copyFrom(chunk: Uint8Array, offset: number): number {
    this.#lease ??= this.#pool.tryLease();
    if (this.#lease === undefined) return 0;
    const copied = Math.min(chunk.length - offset, BLOCK_SIZE - this.#filledBytes);
    this.#lease.bytes.set(chunk.subarray(offset, offset + copied), this.#filledBytes);
    this.#filledBytes += copied;
    this.#bytesTaken += copied;
    return copied;
  }

  /** Resolves once a slot to copy into is there. */
  async ready(signal?: AbortSignal): Promise<void> {
    this.#lease ??= await this.#pool.lease(signal);
  }

  /** Hands over the block when it is full; undefined otherwise. */
  takeBlock(): Lease | undefined {
    return this.#filledBytes === BLOCK_SIZE ? this.#handOver() : undefined;
  }

  /** Hands over the rest, padded with zeros to a whole block, or undefined when the bytes end on a block border. */
  finish(): Lease | undefined {
    if (this.#filledBytes === 0) {
      this.discard();
      return undefined;
    }
    this.#lease?.bytes.fill(0, this.#filledBytes);
    return this.#handOver();
  }

  /** Gives back a half-filled block. For the way out after a failure. */
  discard(): void {
    this.#handOver()?.release();
  }

  #handOver(): Lease | undefined {
    const lease = this.#lease;
    this.#lease = undefined;
    this.#filledBytes = 0;
    return lease;
  }
}
