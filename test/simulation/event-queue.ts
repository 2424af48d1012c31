interface SimulatedEvent {
  readonly atMs: number;
  /** Order among events of the same instant. */
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time: runs what was scheduled, in order, as fast as the machine can. */
export class EventQueue {
  #nowMs = 0;
  #count = 0;
  /** A binary heap, the earliest event first. */
  readonly #heap: SimulatedEvent[] = [];

  /** Virtual milliseconds since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `run` after `delayMs`. */
  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.#nowMs + Math.max(0, delayMs), order: (this.#count += 1), run };
    let child = this.#heap.push(event) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(event, this.#at(parent))) break;
      this.#heap[child] = this.#at(parent);
      child = parent;
    }
    this.#heap[child] = event;
  }

  /** Runs everything that is due until `endMs`. */
  runUntil(endMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#removeFirst();
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = endMs;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && isBefore(this.#at(child + 1), this.#at(child)))
        child += 1;
      if (!isBefore(this.#at(child), last)) break;
      this.#heap[parent] = this.#at(child);
      parent = child;
    }
    this.#heap[parent] = last;
  }

  #at(position: number): SimulatedEvent {
    const event = this.#heap[position];
    if (event === undefined) throw new RangeError(`no event at ${position}`);
    return event;
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
