import type { ReadAhead, ReadStep } from './read-ahead.ts';

/**
 * Yields the steps of a read-ahead one by one to whoever works in order, and takes the next ones meanwhile, as far as
 * there is room. To stop before the end stops the read-ahead, and every request has ended when it has.
 * @throws the failure that stopped the read-ahead.
 */
export async function* takenAhead(reads: ReadAhead): AsyncGenerator<ReadStep, void, undefined> {
  const line = new Line();
  const taking = takeAll(reads, line);
  // Met below, or by nobody when the consumer has gone.
  taking.catch(() => undefined);
  let isAtEnd = false;
  try {
    for (;;) {
      const step = await line.next();
      if (step === undefined) break;
      yield step;
    }
    await taking;
    isAtEnd = true;
  } finally {
    if (!isAtEnd) await reads.stop(new Error('nobody takes the blocks any more'));
    await taking.catch(() => undefined);
    for (const step of line.steps) step.done();
  }
}

async function takeAll(reads: ReadAhead, line: Line): Promise<void> {
  try {
    for await (const step of reads.steps()) line.add(step);
  } finally {
    line.end();
  }
}

/** Steps that were taken and not yet handed on. */
class Line {
  readonly steps: ReadStep[] = [];
  #isEnded = false;
  #wake: (() => void) | undefined;

  add(step: ReadStep): void {
    this.steps.push(step);
    this.#wake?.();
  }

  /** Says that no step will be added. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** Waits for the next; undefined at the end. One call at a time. */
  async next(): Promise<ReadStep | undefined> {
    while (this.steps.length === 0 && !this.#isEnded) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.steps.shift();
  }
}
