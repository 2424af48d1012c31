const PAGE_BLOCKS = 512;

/** Facts of PAGE_BLOCKS neighbouring blocks. */
interface Page {
  /** First four bytes of the digest that was acknowledged. */
  readonly digests: Uint32Array;
  readonly acknowledged: Uint8Array;
  readonly puts: Uint8Array;
  readonly gets: Uint8Array;
}

/** Pages that may still be made; shared by all ledgers, so that they are bounded together. */
export interface PageBudget {
  pagesLeft: number;
}

/** Which requests count the attempts. */
export type Direction = 'puts' | 'gets';

const ATTEMPTS_MAX = 255;

/** What was done with each block of a snapshot, in seven bytes a block. */
export class BlockLedger {
  readonly #budget: PageBudget;
  readonly #pages = new Map<number, Page>();
  #isClosed = false;

  constructor(budget: PageBudget) {
    this.#budget = budget;
  }

  /** Counts an attempt. Returns its number, at most 255; undefined when there is no room to remember it. */
  attempt(direction: Direction, blockIndex: number): number | undefined {
    const page = this.#page(blockIndex);
    if (page === undefined) return undefined;
    const at = blockIndex % PAGE_BLOCKS;
    const attempt = Math.min(ATTEMPTS_MAX, (page[direction][at] ?? 0) + 1);
    page[direction][at] = attempt;
    return attempt;
  }

  /** Whether a block was acknowledged with this digest. */
  holds(blockIndex: number, digestStart: number): boolean {
    const page = this.#pages.get(Math.floor(blockIndex / PAGE_BLOCKS));
    const at = blockIndex % PAGE_BLOCKS;
    return page?.acknowledged[at] === 1 && page.digests[at] === digestStart;
  }

  /** Notes an acknowledgement. Returns whether it is the first for this block. */
  acknowledge(blockIndex: number, digestStart: number): boolean {
    const page = this.#page(blockIndex);
    if (page === undefined) return false;
    const at = blockIndex % PAGE_BLOCKS;
    const isFirst = page.acknowledged[at] === 0;
    page.acknowledged[at] = 1;
    page.digests[at] = digestStart;
    return isFirst;
  }

  /** Gives the pages back for good. */
  close(): void {
    this.#isClosed = true;
    this.#budget.pagesLeft += this.#pages.size;
    this.#pages.clear();
  }

  #page(blockIndex: number): Page | undefined {
    const number = Math.floor(blockIndex / PAGE_BLOCKS);
    const known = this.#pages.get(number);
    if (known !== undefined || this.#isClosed || this.#budget.pagesLeft === 0) return known;
    this.#budget.pagesLeft -= 1;
    const page = {
      digests: new Uint32Array(PAGE_BLOCKS),
      acknowledged: new Uint8Array(PAGE_BLOCKS),
      puts: new Uint8Array(PAGE_BLOCKS),
      gets: new Uint8Array(PAGE_BLOCKS),
    };
    this.#pages.set(number, page);
    return page;
  }
}
