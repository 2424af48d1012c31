import { blocksIn } from '../base/units.ts';

/** A block that is there, or on its way. */
interface Entry {
  readonly data: Promise<Uint8Array>;
  isThere: boolean;
}

/**
 * Keeps the blocks used last, within a bound in bytes that holds for those on their way too. Whoever wants a block that
 * is on its way shares the request.
 */
export class BlockCache {
  readonly #load: (blockIndex: number) => Promise<Uint8Array>;
  /** Those used last at the end. */
  readonly #entries = new Map<number, Entry>();
  readonly #waiting: (() => void)[] = [];
  readonly #entriesMax: number;
  #onTheirWay = 0;

  /** @param load - reads a block; the bytes are the cache's from then on, and never changed. */
  constructor(
    load: (blockIndex: number) => Promise<Uint8Array>,
    options: { readonly maxBytes: number },
  ) {
    this.#load = load;
    this.#entriesMax = blocksIn(options.maxBytes);
  }

  /** Whether a block is there or on its way. */
  has(blockIndex: number): boolean {
    return this.#entries.has(blockIndex);
  }

  /**
   * Returns a block. What is done with the bytes must be done at once: the bound does not count them for longer.
   * @throws what loading it has failed with; who asks again tries again.
   */
  async get(blockIndex: number): Promise<Uint8Array> {
    for (;;) {
      const known = this.#entries.get(blockIndex);
      if (known !== undefined) {
        this.#entries.delete(blockIndex);
        this.#entries.set(blockIndex, known);
        return known.data;
      }
      if (this.#onTheirWay < this.#entriesMax) return this.#fetch(blockIndex);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves when nothing is on its way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#entries.values()].map(({ data }) => data));
  }

  #fetch(blockIndex: number): Promise<Uint8Array> {
    this.#onTheirWay += 1;
    this.#makeRoom();
    const entry: Entry = { data: this.#load(blockIndex), isThere: false };
    this.#entries.set(blockIndex, entry);
    entry.data
      .then(
        () => (entry.isThere = true),
        () => this.#entries.delete(blockIndex),
      )
      .finally(() => {
        this.#onTheirWay -= 1;
        // All: the block that one waits for may be there by now, and the place is then another's.
        for (const wake of this.#waiting.splice(0)) wake();
      });
    return entry.data;
  }

  /** Drops the blocks used longest ago, until there is room for one. */
  #makeRoom(): void {
    for (const [blockIndex, { isThere }] of this.#entries) {
      if (this.#entries.size < this.#entriesMax) return;
      if (isThere) this.#entries.delete(blockIndex);
    }
  }
}
