import { BLOCK_SIZE } from '../base/constants.ts';

/** Alignment in bytes that O_DIRECT reads want of a buffer: a page, which no logical sector exceeds in practice. */
const PAGE_SIZE = 4096;

/** Which memory a view belongs to, so that a holder needs nothing but the bytes. */
const memories = new WeakMap<ArrayBufferLike, SlotMemory>();

/** How {@link SlotMemory} is laid out and whom it tells. */
export interface SlotMemoryOptions {
  /** Slots of BLOCK_SIZE bytes, at least 1. */
  readonly slotCount: number;
  /** Called once each time the last holder of a slot lets go. */
  readonly onFree: (slot: number) => void;
  /** Bytes from the start of the memory to its first page border. JavaScript cannot see addresses; default: 0. */
  readonly align?: (memory: Uint8Array) => number;
}

/**
 * Shared memory cut into slots of one block each, every slot with a count of its holders. A slot is handed back only
 * when the count falls to zero, so it cannot be filled anew while a read, a hash or a socket still holds it.
 *
 * The memory is a SharedArrayBuffer: it cannot be detached under native code, and lanes in other threads can use it.
 * Its pages are committed by the system at their first use.
 */
export class SlotMemory {
  readonly slotCount: number;
  readonly #buffer: SharedArrayBuffer;
  readonly #firstSlotOffset: number;
  readonly #holders: Uint32Array;
  readonly #views: Buffer[] = [];
  readonly #onFree: (slot: number) => void;

  constructor(options: SlotMemoryOptions) {
    this.slotCount = options.slotCount;
    this.#onFree = options.onFree;
    this.#buffer = new SharedArrayBuffer(options.slotCount * BLOCK_SIZE + PAGE_SIZE);
    this.#firstSlotOffset = options.align?.(new Uint8Array(this.#buffer)) ?? 0;
    this.#holders = new Uint32Array(options.slotCount);
    memories.set(this.#buffer, this);
  }

  /** Returns the BLOCK_SIZE bytes of a slot; the same view each time. */
  view(slot: number): Buffer {
    return (this.#views[slot] ??= Buffer.from(
      this.#buffer as unknown as ArrayBuffer,
      this.#firstSlotOffset + slot * BLOCK_SIZE,
      BLOCK_SIZE,
    ));
  }

  /** Adds a holder. */
  hold(slot: number): void {
    this.#holders[slot] = this.#holderCount(slot) + 1;
  }

  /** Takes a holder away, and frees the slot with the last one. */
  letGo(slot: number): void {
    const holderCount = this.#holderCount(slot);
    if (holderCount === 0) throw new Error(`Slot ${slot} is let go, but nobody holds it`);
    this.#holders[slot] = holderCount - 1;
    if (holderCount === 1) this.#onFree(slot);
  }

  /** The slot that `bytes` lie in, or undefined when it is free: then nobody may hold on to it. */
  heldSlotOf(bytes: Uint8Array): number | undefined {
    const slot = Math.floor((bytes.byteOffset - this.#firstSlotOffset) / BLOCK_SIZE);
    return this.#holderCount(slot) > 0 ? slot : undefined;
  }

  #holderCount(slot: number): number {
    const holderCount = this.#holders[slot];
    if (holderCount === undefined) throw new RangeError(`No slot ${slot} of ${this.slotCount}`);
    return holderCount;
  }
}

/**
 * Keeps the slot that `bytes` lie in from being used anew until the returned function is called (idempotent). For bytes
 * outside any slot there is nothing to keep.
 * @throws {RangeError} when the slot was released already: its bytes may be another block's by now.
 */
export function holdSlot(bytes: Uint8Array): () => void {
  const memory = memories.get(bytes.buffer);
  if (memory === undefined) return noop;
  const slot = memory.heldSlotOf(bytes);
  if (slot === undefined) throw new RangeError('The block was released before it was used');
  memory.hold(slot);
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    memory.letGo(slot);
  };
}

function noop(): void {
  // Memory outside the pools is kept by the garbage collector alone.
}
