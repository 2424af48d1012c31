import { DigestPage } from './digest-page.ts';
import { PAGE_RECORDS } from './layout.ts';
import { readPage, type PageContext } from './page-reader.ts';

/** Pages kept in memory, 1 MiB in all, beside those that wait to be written. */
const CLEAN_PAGES_MAX = 256;

/** A page in memory. It may hold new records before the rest of it has been read. */
export class CachedPage {
  readonly pageNumber: number;
  /** Waits to be written. */
  isDirty = false;
  /** Is being written: must not be dropped, since reading it back might show half a page. */
  isBeingWritten = false;
  #page = DigestPage.empty();
  /** Rows set since the page was made, 1 each; undefined once the file's part is in. */
  #rowsSet: Uint8Array | undefined = new Uint8Array(PAGE_RECORDS);
  #loading: Promise<void> | undefined;

  constructor(pageNumber: number) {
    this.pageNumber = pageNumber;
  }

  get page(): DigestPage {
    return this.#page;
  }

  get isLoaded(): boolean {
    return this.#rowsSet === undefined;
  }

  /** Whether a record can be told without reading the file. */
  knows(row: number): boolean {
    return this.#rowsSet === undefined || this.#rowsSet[row] === 1;
  }

  set(row: number, state: number, digest?: Uint8Array): void {
    this.#page.set(row, state, digest);
    if (this.#rowsSet !== undefined) this.#rowsSet[row] = 1;
  }

  /** Reads the file's part of the page, once; rows set before or meanwhile stay as they are. */
  load(context: PageContext): Promise<void> {
    if (this.isLoaded) return Promise.resolve();
    this.#loading ??= this.#load(context);
    return this.#loading;
  }

  async #load(context: PageContext): Promise<void> {
    const { page } = await readPage(this.pageNumber, context);
    for (let row = 0; row < PAGE_RECORDS; row += 1) {
      if (this.#rowsSet?.[row] !== 1) continue;
      page.set(row, this.#page.stateAt(row), this.#page.digestAt(row));
    }
    this.#page = page;
    this.#rowsSet = undefined;
  }
}

/** The pages in memory, by number: as many as are dirty, and the clean ones used last. */
export class PageCache {
  readonly #pages = new Map<number, CachedPage>();
  #latest: CachedPage | undefined;

  /** The page of this number, made if it is not in memory. */
  at(pageNumber: number): CachedPage {
    // Blocks come in about the order of their indices, so the page is most often the one before.
    if (this.#latest?.pageNumber === pageNumber) return this.#latest;
    let page = this.#pages.get(pageNumber);
    if (page === undefined) {
      page = new CachedPage(pageNumber);
      this.#trim();
    } else {
      this.#pages.delete(pageNumber);
    }
    // Last in the map is what was used last.
    this.#pages.set(pageNumber, page);
    this.#latest = page;
    return page;
  }

  /** Forgets all pages; none may be dirty. */
  clear(): void {
    this.#pages.clear();
    this.#latest = undefined;
  }

  /** Two steps for each page that is made: a page that has to stay goes to the end, and there are no more of those. */
  #trim(): void {
    for (let step = 0; step < 2 && this.#pages.size >= CLEAN_PAGES_MAX; step += 1) {
      const [oldest] = this.#pages.values();
      if (oldest === undefined) return;
      this.#pages.delete(oldest.pageNumber);
      if (oldest.isDirty || oldest.isBeingWritten) this.#pages.set(oldest.pageNumber, oldest);
    }
  }
}
