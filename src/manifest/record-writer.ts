import { DigestPage, rowOfBlock } from './digest-page.ts';
import { PAGE_SIZE, pageOfBlock, pageOffset } from './layout.ts';
import type { CachedPage, PageCache } from './page-cache.ts';
import type { PageContext } from './page-reader.ts';
import { pageRuns } from './page-runs.ts';

/**
 * Milliseconds that records gather for before they are written: at 1000 acknowledgements a second a few for each write,
 * and what a killed process had not yet written stays below what it had in flight.
 */
const GATHER_MS = 2;

/** Dirty pages, 1 MiB, from which on `whenReady` lets its caller wait. */
const DIRTY_PAGES_MAX = 256;

/** Pages written in one call. */
const WRITE_PAGES_MAX = 64;

interface Waiter {
  readonly isForSync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Writes records behind its callers' backs: a record goes into its page in memory, and pages go to the file a few
 * milliseconds later, one write for all that gathered. One write at a time, so that pages never overtake each other.
 */
export class RecordWriter {
  readonly #context: PageContext;
  readonly #cache: PageCache;
  readonly #onFailure: (error: Error) => void;
  readonly #staging: Buffer = Buffer.from(new ArrayBuffer(WRITE_PAGES_MAX * PAGE_SIZE));
  #dirty: CachedPage[] = [];
  #waiters: Waiter[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isWriting = false;
  #failure: Error | undefined;

  constructor(context: PageContext, cache: PageCache, onFailure: (error: Error) => void) {
    this.#context = context;
    this.#cache = cache;
    this.#onFailure = onFailure;
  }

  /** Changes a record in memory, and sees to it that it gets written. */
  set(blockIndex: number, state: number, digest?: Uint8Array): void {
    const page = this.#cache.at(pageOfBlock(blockIndex));
    page.set(rowOfBlock(blockIndex), state, digest);
    if (page.isDirty || this.#failure !== undefined) return;
    page.isDirty = true;
    this.#dirty.push(page);
    if (this.#isWriting || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#writeAll(), GATHER_MS);
  }

  /** Undefined as long as more records may come; otherwise resolves when there is room again. */
  whenReady(): Promise<void> | undefined {
    return this.#dirty.length < DIRTY_PAGES_MAX ? undefined : this.flush();
  }

  /**
   * Resolves when every record set so far is the kernel's, and so outlives this process.
   * @throws what made writing impossible, now or earlier.
   */
  flush(): Promise<void> {
    return this.#settled(false);
  }

  /** Resolves when every record set so far is on the disk, and so outlives the machine. */
  sync(): Promise<void> {
    return this.#settled(true);
  }

  #settled(isForSync: boolean): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ isForSync, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isWriting = true;
    let waiters: Waiter[] = [];
    try {
      do {
        waiters = this.#waiters;
        this.#waiters = [];
        await this.#writeDirty();
        if (waiters.some(({ isForSync }) => isForSync)) await this.#context.file.sync();
        for (const { resolve } of waiters) resolve();
      } while (this.#waiters.length > 0);
      if (this.#dirty.length > 0) {
        this.#timer = setTimeout(() => void this.#writeAll(), GATHER_MS);
      }
    } catch (error) {
      this.#fail(error as Error, waiters);
    }
    this.#isWriting = false;
  }

  /** What failed once is not tried again: after a failed sync nobody knows what the disk has. */
  #fail(error: Error, waiters: readonly Waiter[]): void {
    this.#failure = error;
    for (const { reject } of [...waiters, ...this.#waiters]) reject(error);
    this.#waiters = [];
    this.#onFailure(error);
  }

  async #writeDirty(): Promise<void> {
    const pages = this.#dirty.sort((a, b) => a.pageNumber - b.pageNumber);
    this.#dirty = [];
    for (const page of pages) page.isBeingWritten = true;
    await Promise.all(pages.map((page) => page.load(this.#context)));
    await this.#context.segments.admit(
      this.#context.file,
      pages.map(({ pageNumber }) => pageNumber),
    );
    for (const run of pageRuns(pages, WRITE_PAGES_MAX)) {
      await this.#writeRun(run);
      for (const page of run) page.isBeingWritten = false;
    }
  }

  async #writeRun(run: readonly CachedPage[]): Promise<void> {
    const { file, manifestId } = this.#context;
    for (const [position, cached] of run.entries()) {
      const bytes = this.#staging.subarray(position * PAGE_SIZE, (position + 1) * PAGE_SIZE);
      bytes.set(cached.page.bytes);
      // From here on a new record makes the page dirty once more: this copy does not have it.
      cached.isDirty = false;
      new DigestPage(bytes).seal({ manifestId, pageNumber: cached.pageNumber });
    }
    const [first] = run;
    if (first === undefined) return;
    const bytes = this.#staging.subarray(0, run.length * PAGE_SIZE);
    await file.write(bytes, pageOffset(first.pageNumber));
  }
}
