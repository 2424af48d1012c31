import { BLOCK_SIZE } from '../base/constants.ts';
import { abortError } from '../base/errors.ts';
import { SlotMemory, type SlotMemoryOptions } from './slot-memory.ts';

/** Bytes of block buffers when the caller names no bound: 256 blocks. */
export const DEFAULT_BUFFER_BYTES = 134_217_728;

/** One slot of a pool, owned by whoever leased it until it is released. */
export interface Lease {
  readonly slot: number;
  /** BLOCK_SIZE bytes of shared memory. Holds whatever the last owner left in it. */
  readonly bytes: Buffer;
  /** Gives the slot back and wakes the first waiter; `bytes` must not be touched afterwards. Idempotent. */
  release(): void;
}

interface Waiter {
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
  readonly resolve: (lease: Lease) => void;
}

/**
 * Block buffers under a hard bound in bytes. All of it is one shared allocation, and one more each time the bound rises
 * above what there was; the system commits the pages at their first use. Slots freed last are used first, so a quick
 * consumer touches few of them.
 */
export class BlockPool {
  #slotCountMax: number;
  /** Slots in use or free: as many as the bound was at its highest. */
  #slotsMade: number;
  /** Made with the first lease: the pool of a writer that is handed whole blocks never needs any. */
  #memory: SlotMemory | undefined;
  #freeSlots: number[];
  readonly #align: SlotMemoryOptions['align'];
  readonly #waiters = new Set<Waiter>();

  /**
   * @param options.maxBytes the bound; rounded down to whole blocks, but never below one.
   * @param options.align where slots begin, as {@link SlotMemory} takes it. Default: anywhere.
   * @throws {RangeError} when maxBytes is not a positive number.
   */
  constructor(options: { readonly maxBytes: number } & Pick<SlotMemoryOptions, 'align'>) {
    this.#align = options.align;
    this.#slotCountMax = slotCountFloor(options.maxBytes);
    this.#slotsMade = this.#slotCountMax;
    this.#freeSlots = slotsDownFrom(this.#slotsMade, 0);
  }

  /** Slots that may be owned or held at one time. */
  get slotCount(): number {
    return this.#slotCountMax;
  }

  /** Slots that somebody owns or holds now: more than {@link slotCount} only after that was lowered. */
  get leasedCount(): number {
    return this.#slotsMade - this.#freeSlots.length;
  }

  /**
   * Changes the bound. A higher one serves waiters at once; under a lower one, slots that come home are not leased anew
   * until fewer are out. Pages once used stay with the process.
   * @throws {RangeError} as the constructor.
   */
  resize(maxBytes: number): void {
    this.#slotCountMax = slotCountFloor(maxBytes);
    const before = this.#slotsMade;
    if (this.#slotCountMax > before) {
      this.#memory?.grow(this.#slotCountMax - before);
      this.#slotsMade = this.#slotCountMax;
      this.#freeSlots = slotsDownFrom(this.#slotsMade, before).concat(this.#freeSlots);
    }
    this.#serveWaiters();
  }

  /** Leases a slot, or returns undefined when none is free. */
  tryLease(): Lease | undefined {
    if (this.leasedCount >= this.#slotCountMax) return undefined;
    const slot = this.#freeSlots.pop();
    return slot === undefined ? undefined : this.#own(slot);
  }

  /**
   * Leases a slot, waiting for one behind those who asked before.
   * @throws AbortError as soon as `signal` aborts.
   */
  lease(signal?: AbortSignal): Promise<Lease> {
    if (signal?.aborted === true) return Promise.reject(abortError(signal));
    const lease = this.tryLease();
    if (lease !== undefined) return Promise.resolve(lease);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        reject(abortError(signal));
      };
      const waiter: Waiter = { signal, onAbort, resolve };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Gives the memory up, as soon as the last lease is released. Nothing may be leased afterwards. */
  retire(): void {
    this.#memory?.retire();
  }

  #reuse(slot: number): void {
    this.#freeSlots.push(slot);
    this.#serveWaiters();
  }

  /** Hands free slots straight to those who wait, in their order, so that nobody overtakes. */
  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const lease = this.tryLease();
      if (lease === undefined) return;
      this.#waiters.delete(waiter);
      waiter.signal?.removeEventListener('abort', waiter.onAbort);
      waiter.resolve(lease);
    }
  }

  #own(slot: number): Lease {
    this.#memory ??= new SlotMemory({
      slotCount: this.#slotsMade,
      onFree: (free) => this.#reuse(free),
      align: this.#align,
    });
    this.#memory.hold(slot);
    return new SlotLease(this.#memory, slot);
  }
}

/**
 * Blocks that fit into `maxBytes`, at least one.
 * @throws {RangeError} when maxBytes is not a positive number.
 */
export function slotCountFloor(maxBytes: number): number {
  if (!(maxBytes > 0) || !Number.isSafeInteger(Math.floor(maxBytes))) {
    throw new RangeError(`Expected a positive number of bytes for block buffers, got ${maxBytes}`);
  }
  return Math.max(1, Math.floor(maxBytes / BLOCK_SIZE));
}

/** The slots of [first, end), the first one last: free slots are taken from the end. */
function slotsDownFrom(end: number, first: number): number[] {
  return Array.from({ length: end - first }, (_, i) => end - 1 - i);
}

class SlotLease implements Lease {
  readonly slot: number;
  readonly bytes: Buffer;
  #memory: SlotMemory | undefined;

  constructor(memory: SlotMemory, slot: number) {
    this.slot = slot;
    this.bytes = memory.view(slot);
    this.#memory = memory;
  }

  release(): void {
    const memory = this.#memory;
    this.#memory = undefined;
    memory?.letGo(this.slot);
  }
}
