import { BLOCK_SIZE, DIGEST_SIZE } from '../base/constants.ts';
import { SourceError } from '../base/errors.ts';
import type { BlockAssembler } from '../engine/block-assembler.ts';
import type { Lease } from '../engine/block-pool.ts';
import type { Block, BlockFacts, Engine } from '../engine/engine.ts';

/** A block as a caller may write it; the blocks of a BlockReader are such. */
export interface BlockInput {
  /** 0-based position in the volume, below VolumeSize × 2048. */
  readonly index: number;
  /** BLOCK_SIZE bytes that do not change until the block is released. */
  readonly data: Uint8Array;
  /** SHA-256 of `data`, 32 bytes. Computed off-thread when absent. */
  readonly digest?: Uint8Array;
  /** Whether `data` is all zero; found out when `digest` is absent. Default 'data'. */
  readonly kind?: Block['kind'];
  /** Called once when `data` is needed no more. */
  release?(): void;
}

/** What the intake is handed. */
export interface BlockIntakeOptions {
  readonly engine: Engine;
  readonly assembler: BlockAssembler;
  /** Keeps the memory of a block from being used anew until the function returned is called. */
  readonly hold: (data: Uint8Array) => () => void;
  /** Makes the block that stands for zeros. */
  readonly zeroBlock: (index: number, kind: 'zero' | 'hole') => Block;
  /** Blocks in the volume. */
  readonly blockCountMax: number;
  /** The only blocks that may be written, for a part. */
  readonly range: { readonly firstBlock: number; readonly endBlock: number } | undefined;
  /** Takes the blocks one by one; undefined when there is room for the next, else resolves when there is. */
  readonly put: (block: Block) => Promise<void> | undefined;
  /** Told once when hashing or `put` failed. */
  readonly onFailure: (error: Error) => void;
  readonly signal: AbortSignal;
}

/**
 * Turns what is written, bytes of any chunking or blocks, into hashed blocks. Hashing runs ahead of `put` on the
 * engine's threads, as far as buffers reach; blocks are put in the order in which they came.
 */
export class BlockIntake {
  readonly #options: BlockIntakeOptions;
  #form: 'bytes' | 'blocks' | undefined;
  #blocksTaken = 0;
  /** The last block, and with it all before; undefined once there is room for the next. */
  #lastPut: Promise<void> | undefined;

  constructor(options: BlockIntakeOptions) {
    this.#options = options;
  }

  /** What has been written so far; undefined while nothing has. */
  get form(): 'bytes' | 'blocks' | undefined {
    return this.#form;
  }

  /** Blocks taken, a partial tail excluded until {@link finish}. */
  get blocksTaken(): number {
    return this.#blocksTaken;
  }

  /** Bytes taken: exact for bytes, whole blocks for blocks. */
  get bytesTaken(): number {
    return this.#form === 'bytes'
      ? this.#options.assembler.bytesTaken
      : this.#blocksTaken * BLOCK_SIZE;
  }

  /**
   * Takes whatever a Writable is handed: bytes in any of their forms, or a block; undefined when the next may follow
   * at once.
   */
  take(chunk: unknown, encoding: BufferEncoding): Promise<void> | undefined {
    if (typeof chunk === 'string') return this.takeBytes(Buffer.from(chunk, encoding));
    if (chunk instanceof Uint8Array) return this.takeBytes(chunk);
    if (chunk instanceof ArrayBuffer) return this.takeBytes(new Uint8Array(chunk));
    if (ArrayBuffer.isView(chunk)) {
      const { buffer, byteOffset, byteLength } = chunk;
      return this.takeBytes(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return this.takeBlock(chunk as BlockInput);
  }

  /**
   * Takes a chunk of any length; resolves when it has been copied into buffers.
   * @throws {SourceError} ERR_EBS_SOURCE_SIZE past the end of the volume.
   */
  async takeBytes(chunk: Uint8Array): Promise<void> {
    if (this.#options.range !== undefined) throw new TypeError('a part is written by blocks');
    this.#take('bytes');
    const { assembler, signal } = this.#options;
    for await (const lease of assembler.push(chunk, signal)) {
      this.#checkIndex(this.#blocksTaken);
      this.#enqueue(this.#fromLease(lease));
    }
  }

  /**
   * Takes one block; undefined when there is room for the next, else resolves when there is.
   * @throws {TypeError} when it is not a block; {RangeError} when it was released before; {SourceError}
   * ERR_EBS_SOURCE_SIZE past the end of the volume.
   */
  takeBlock(block: BlockInput): Promise<void> | undefined {
    this.#take('blocks');
    checkShape(block);
    this.#checkIndex(block.index);
    this.#enqueue(block);
    return this.#lastPut;
  }

  /** Pads and takes the tail, then resolves when every block has been put. */
  async finish(): Promise<void> {
    const tail = this.#options.assembler.finish();
    if (tail !== undefined) {
      this.#checkIndex(this.#blocksTaken);
      this.#enqueue(this.#fromLease(tail));
    }
    await this.#lastPut;
  }

  #fromLease(lease: Lease): BlockInput {
    return { index: this.#blocksTaken, data: lease.bytes, release: () => lease.release() };
  }

  #take(form: 'bytes' | 'blocks'): void {
    this.#form ??= form;
    if (this.#form !== form) throw new TypeError('bytes and blocks cannot be mixed in one stream');
  }

  #checkIndex(index: number): void {
    const { blockCountMax, range } = this.#options;
    if (range !== undefined && (index < range.firstBlock || index >= range.endBlock)) {
      throw new RangeError(`block ${index} is not within the range of this part`);
    }
    if (index < blockCountMax) return;
    const volumeBytes = blockCountMax * BLOCK_SIZE;
    throw new SourceError(
      'ERR_EBS_SOURCE_SIZE',
      `the source is larger than the volume of ${volumeBytes} bytes`,
      { offset: volumeBytes, blockIndex: index },
    );
  }

  #enqueue(input: BlockInput): void {
    this.#blocksTaken += 1;
    const release = this.#hold(input);
    const put =
      this.#lastPut === undefined ? this.#putNow(input, release) : this.#putAfter(input, release);
    if (put === undefined) return;
    const last = put.then(
      () => {
        if (this.#lastPut === last) this.#lastPut = undefined;
      },
      (error: unknown) => {
        release();
        throw error;
      },
    );
    last.catch((error: unknown) => this.#options.onFailure(error as Error));
    this.#lastPut = last;
  }

  /** Returns what releases a block, once. Its owner may do so too early; its memory is held until the service has it. */
  #hold(input: BlockInput): () => void {
    const letGo = this.#options.hold(input.data);
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      input.release?.();
      letGo();
    };
  }

  /** A block with a digest, as those that are read natively, costs no promise while there is room. */
  #putNow(input: BlockInput, release: () => void): Promise<void> | undefined {
    const { digest } = input;
    return digest === undefined
      ? this.#putAfter(input, release)
      : this.#put(input, factsOf(input, digest), release);
  }

  async #putAfter(input: BlockInput, release: () => void): Promise<void> {
    const { data, digest } = input;
    const inspected =
      digest === undefined ? this.#options.engine.inspect([data]) : [factsOf(input, digest)];
    const [[facts]] = await Promise.all([inspected, this.#lastPut]);
    if (facts === undefined) throw new TypeError('the engine returned no facts');
    await this.#put(input, facts, release);
  }

  #put(
    { index, data, kind }: BlockInput,
    { isZero, digest }: BlockFacts,
    release: () => void,
  ): Promise<void> | undefined {
    if (!isZero) return this.#options.put({ index, data, digest, kind: 'data', release });
    release();
    return this.#options.put(this.#options.zeroBlock(index, kind === 'hole' ? 'hole' : 'zero'));
  }
}

/** What the caller says of a block, who hashed it. */
function factsOf({ kind = 'data' }: BlockInput, digest: Uint8Array): BlockFacts {
  return { isZero: kind !== 'data', digest };
}

function checkShape({ index, data, digest }: BlockInput): void {
  if (!Number.isSafeInteger(index) || index < 0) {
    throw new TypeError(`a block needs an index from 0 on; received ${String(index)}`);
  }
  if (!(data instanceof Uint8Array) || data.byteLength !== BLOCK_SIZE) {
    throw new TypeError(`block ${index} must bring a Uint8Array of ${BLOCK_SIZE} bytes`);
  }
  if (digest !== undefined && digest.byteLength !== DIGEST_SIZE) {
    throw new TypeError(`the digest of block ${index} must be ${DIGEST_SIZE} bytes long`);
  }
}
