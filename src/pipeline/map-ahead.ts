/** How {@link mapAhead} works. */
export interface MapAheadOptions<In, Out> {
  readonly work: (item: In) => Promise<Out>;
  /** Items that may be worked on, or wait for those before them; asked anew for each. At least 1. */
  readonly aheadMax: () => number;
  /** Ends all work, and the source, early: called when nobody reads on, or something has failed. */
  readonly stop: () => void;
}

/**
 * Works on many items at a time and yields the results in the order of the items: reads ahead of whoever takes them. When it
 * ends, however it ends, no work is under way any more.
 * @throws what the source or the work throws, after the results before it.
 */
export async function* mapAhead<In, Out>(
  source: AsyncIterable<In>,
  { work, aheadMax, stop }: MapAheadOptions<In, Out>,
): AsyncGenerator<Out, void, undefined> {
  const results: Promise<Out>[] = [];
  const change = new Change();
  const state = { isSourceAtEnd: false, isStopped: false };
  const add = (result: Promise<Out>): void => {
    // Whoever reads on meets the failure in its turn; when nobody does, it is of no more interest.
    result.catch(() => undefined);
    results.push(result);
    change.tell();
  };
  const isFull = (): boolean => results.length >= aheadMax() && !state.isStopped;
  const begin = async (): Promise<void> => {
    for await (const item of source) {
      if (state.isStopped) return;
      add(work(item));
      while (isFull()) await change.next;
    }
  };
  const beginning = begin()
    .catch((error: unknown) => add(Promise.reject(error as Error)))
    .finally(() => {
      state.isSourceAtEnd = true;
      change.tell();
    });
  try {
    for (;;) {
      while (results.length === 0 && !state.isSourceAtEnd) await change.next;
      const [result] = results;
      if (result === undefined) return;
      const value = await result;
      void results.shift();
      change.tell();
      yield value;
    }
  } finally {
    state.isStopped = true;
    if (results.length > 0 || !state.isSourceAtEnd) stop();
    change.tell();
    await Promise.allSettled([beginning, ...results]);
  }
}

/** Wakes everybody who waits for something to have changed. */
class Change {
  next: Promise<void>;
  #resolve!: () => void;

  constructor() {
    this.next = new Promise((resolve) => (this.#resolve = resolve));
  }

  tell(): void {
    const resolve = this.#resolve;
    this.next = new Promise((next) => (this.#resolve = next));
    resolve();
  }
}
