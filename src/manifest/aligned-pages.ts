import { DigestPage } from './digest-page.ts';
import { pageOfBlock } from './layout.ts';
import type { PageContext } from './page-reader.ts';
import { scanSegments, type ScannedPage } from './page-scan.ts';

/** What one part says of a page that its range reaches into; a page of absent records where it wrote none. */
export interface PageClaim {
  /** Position in the list of parts. */
  readonly part: number;
  readonly context: PageContext;
  readonly page: DigestPage;
}

/** One page of the volume, and all parts whose ranges reach into it. */
export interface AlignedPage {
  readonly pageNumber: number;
  readonly claims: readonly PageClaim[];
}

const BLANK = DigestPage.empty();

/**
 * Goes through the pages of several parts side by side, in order, each page once with all that may have records in it.
 * Pages in which no part has anything are left out. A part is read only while the pass is within its range, so that memory
 * does not grow with the number of parts. The pages are views: look at them before asking for more.
 */
export async function* alignedPages(
  parts: readonly PageContext[],
): AsyncGenerator<AlignedPage, void, undefined> {
  const waiting = parts
    .map((context, part) => new PartCursor(context, part))
    .sort((a, b) => a.firstPage - b.firstPage);
  let open: PartCursor[] = [];
  try {
    for (;;) {
      const pageNumber = await openUpTo(lowestOf(open), { waiting, open });
      if (pageNumber === Infinity) return;
      yield { pageNumber, claims: open.map((cursor) => cursor.claimOn(pageNumber)) };
      for (const cursor of open) {
        if (cursor.pageNumber === pageNumber) await cursor.advance();
      }
      const passed = open.filter(({ lastPage }) => lastPage <= pageNumber);
      open = open.filter(({ lastPage }) => lastPage > pageNumber);
      for (const cursor of passed) await cursor.close();
    }
  } finally {
    for (const cursor of open) await cursor.close();
  }
}

function lowestOf(open: readonly PartCursor[]): number {
  let lowest = Infinity;
  for (const { pageNumber } of open) lowest = Math.min(lowest, pageNumber);
  return lowest;
}

/** Opens all parts that reach down to the next page, which may so become a lower one, and tells its number. */
async function openUpTo(
  pageNumber: number,
  { waiting, open }: { readonly waiting: PartCursor[]; readonly open: PartCursor[] },
): Promise<number> {
  let lowest = pageNumber;
  while (waiting[0] !== undefined && waiting[0].firstPage <= lowest) {
    const [cursor] = waiting.splice(0, 1) as [PartCursor];
    open.push(cursor);
    await cursor.advance();
    lowest = Math.min(lowest, cursor.pageNumber);
  }
  return lowest;
}

/** Where the pass stands in one part. */
class PartCursor {
  readonly firstPage: number;
  readonly lastPage: number;
  readonly #part: number;
  readonly #context: PageContext;
  readonly #segments: AsyncGenerator<readonly ScannedPage[], void, undefined>;
  #pages: readonly ScannedPage[] = [];
  #position = 0;

  constructor(context: PageContext, part: number) {
    const { range } = context;
    this.firstPage = pageOfBlock(range.firstBlock);
    this.lastPage = pageOfBlock(range.endBlock - 1);
    this.#part = part;
    this.#context = context;
    this.#segments = scanSegments(context);
  }

  /** The page that it stands before; Infinity when there is none left. */
  get pageNumber(): number {
    return this.#pages[this.#position]?.pageNumber ?? Infinity;
  }

  /** What it says of a page that it stands before, or has nothing in. */
  claimOn(pageNumber: number): PageClaim {
    const scanned = this.#pages[this.#position];
    const page = scanned?.pageNumber === pageNumber ? scanned.page : BLANK;
    return { part: this.#part, context: this.#context, page };
  }

  /** Goes on to the next page within the range. */
  async advance(): Promise<void> {
    this.#position += 1;
    while (this.#position >= this.#pages.length || this.pageNumber < this.firstPage) {
      if (this.#position < this.#pages.length) {
        this.#position += 1;
        continue;
      }
      const next = await this.#segments.next();
      this.#pages = next.done === true ? [] : next.value;
      this.#position = 0;
      if (next.done === true) return;
    }
  }

  /** Ends the reading ahead. */
  async close(): Promise<void> {
    await this.#segments.return();
  }
}
