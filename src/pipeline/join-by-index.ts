/** Something that stands for one block. */
export interface Indexed {
  readonly blockIndex: number;
}

/** What two sides have of a block: one of them at least. */
export interface Joined<First, Second> extends Indexed {
  readonly first?: First;
  readonly second?: Second;
}

/**
 * Walks through two ascending sequences side by side, and pairs what they have of each block.
 * @param stop - ends both sides early: called when nobody reads on, or one of them has failed.
 */
export async function* joinByIndex<First extends Indexed, Second extends Indexed>(
  sides: { readonly first: AsyncIterable<First>; readonly second: AsyncIterable<Second> },
  stop: () => void,
): AsyncGenerator<Joined<First, Second>, void, undefined> {
  const first = sides.first[Symbol.asyncIterator]();
  const second = sides.second[Symbol.asyncIterator]();
  let isAtEnd = false;
  try {
    let [a, b] = await Promise.all([take(first), take(second)]);
    while (a !== undefined || b !== undefined) {
      const blockIndex = Math.min(a?.blockIndex ?? Infinity, b?.blockIndex ?? Infinity);
      const mine = a?.blockIndex === blockIndex ? a : undefined;
      const theirs = b?.blockIndex === blockIndex ? b : undefined;
      yield {
        blockIndex,
        ...(mine === undefined ? {} : { first: mine }),
        ...(theirs === undefined ? {} : { second: theirs }),
      };
      [a, b] = await Promise.all([
        mine === undefined ? a : take(first),
        theirs === undefined ? b : take(second),
      ]);
    }
    isAtEnd = true;
  } finally {
    // Before the sides are closed: each ends only with what it waits for.
    if (!isAtEnd) stop();
    await Promise.allSettled([first.return?.(), second.return?.()]);
  }
}

async function take<T>(items: AsyncIterator<T>): Promise<T | undefined> {
  const next = await items.next();
  return next.done === true ? undefined : next.value;
}
