import { BLOCK_SIZE } from '../base/constants.ts';
import { retiredBuffers } from './retired-buffers.ts';

/** Alignment in bytes that O_DIRECT reads want of a buffer: a page, which no logical sector exceeds in practice. */
const PAGE_SIZE = 4096;

/** One allocation: slots that follow one another. */
interface Segment {
  readonly memory: SlotMemory;
  readonly buffer: SharedArrayBuffer;
  readonly firstSlot: number;
  readonly firstSlotOffset: number;
}

/** Which segment a view belongs to, so that a holder needs nothing but the bytes. */
const segments = new WeakMap<ArrayBufferLike, Segment>();

/** How {@link SlotMemory} is laid out and whom it tells. */
export interface SlotMemoryOptions {
  /** Slots of BLOCK_SIZE bytes, at least 1. */
  readonly slotCount: number;
  /** Called once each time the last holder of a slot lets go. */
  readonly onFree: (slot: number) => void;
  /** Bytes from the start of an allocation to its first page border. JavaScript cannot see addresses; default: 0. */
  readonly align?: ((memory: Uint8Array) => number) | undefined;
}

/**
 * Shared memory cut into slots of one block each, every slot with a count of its holders. A slot is handed back only
 * when the count falls to zero, so it cannot be filled anew while a read, a hash or a socket still holds it.
 *
 * The memory is made of SharedArrayBuffers, one unless it grows: they cannot be detached under native code, and lanes in
 * other threads can use them. Their pages are committed by the system at their first use.
 */
export class SlotMemory {
  readonly #segments: Segment[] = [];
  readonly #views: Buffer[] = [];
  readonly #onFree: (slot: number) => void;
  readonly #align: (memory: Uint8Array) => number;
  #holders = new Uint32Array(0);
  /** Slots with a holder. */
  #heldCount = 0;
  #isRetired = false;

  constructor(options: SlotMemoryOptions) {
    this.#onFree = options.onFree;
    this.#align = options.align ?? ((): number => 0);
    this.grow(options.slotCount);
  }

  get slotCount(): number {
    return this.#holders.length;
  }

  /** Adds `slotCount` slots behind those there are; nobody holds them. */
  grow(slotCount: number): void {
    const firstSlot = this.slotCount;
    const buffer = retiredBuffers.take(slotCount * BLOCK_SIZE + PAGE_SIZE);
    const firstSlotOffset = this.#align(new Uint8Array(buffer));
    const segment = { memory: this, buffer, firstSlot, firstSlotOffset };
    this.#segments.push(segment);
    segments.set(buffer, segment);
    const holders = new Uint32Array(firstSlot + slotCount);
    holders.set(this.#holders);
    this.#holders = holders;
  }

  /** Returns the BLOCK_SIZE bytes of a slot; the same view each time. */
  view(slot: number): Buffer {
    return (this.#views[slot] ??= this.#makeView(slot));
  }

  /** Adds a holder. */
  hold(slot: number): void {
    const holderCount = this.#holderCount(slot);
    if (holderCount === 0) this.#occupy();
    this.#holders[slot] = holderCount + 1;
  }

  /** Takes a holder away, and frees the slot with the last one. */
  letGo(slot: number): void {
    const holderCount = this.#holderCount(slot);
    if (holderCount === 0) throw new Error(`Slot ${slot} is let go, but nobody holds it`);
    this.#holders[slot] = holderCount - 1;
    if (holderCount > 1) return;
    this.#heldCount -= 1;
    this.#onFree(slot);
    this.#passOnIfUnused();
  }

  /** Says that no free slot will be used again. With the last holder, the bytes go to whoever wants as many next. */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#passOnIfUnused();
  }

  /** Whether somebody holds a slot; when nobody does, nobody may hold on to it. */
  isHeld(slot: number): boolean {
    return this.#holderCount(slot) > 0;
  }

  #makeView(slot: number): Buffer {
    const segment = this.#segments.findLast(({ firstSlot }) => slot >= firstSlot);
    if (segment === undefined) throw new RangeError(`No slot ${slot} of ${this.slotCount}`);
    const { buffer, firstSlot, firstSlotOffset } = segment;
    const offset = firstSlotOffset + (slot - firstSlot) * BLOCK_SIZE;
    return Buffer.from(buffer as unknown as ArrayBuffer, offset, BLOCK_SIZE);
  }

  #occupy(): void {
    if (this.#isRetired) throw new Error('The memory has been retired');
    this.#heldCount += 1;
  }

  #passOnIfUnused(): void {
    if (!this.#isRetired || this.#heldCount > 0) return;
    for (const { buffer } of this.#segments) retiredBuffers.add(buffer);
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
  const segment = segments.get(bytes.buffer);
  if (segment === undefined) return noop;
  const { memory, firstSlot, firstSlotOffset } = segment;
  const slot = firstSlot + Math.floor((bytes.byteOffset - firstSlotOffset) / BLOCK_SIZE);
  if (!memory.isHeld(slot)) throw new RangeError('The block was released before it was used');
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
