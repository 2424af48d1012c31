/** Milliseconds in which events of one kind are told as one. */
const INTERVAL_MS = 1_000;

interface Kind<Event> {
  toldAtMs: number;
  /** Not yet told. */
  count: number;
  last: Event;
}

/**
 * Turns a crowd of like events into one a second: the first of a kind is told at once, those that follow within a
 * second together, as the last of them. `count` tells how many an event stands for.
 */
export class Crowd<Event extends object> {
  readonly #kinds = new Map<string, Kind<Event>>();
  readonly #tell: (event: Event & { readonly count: number }) => void;

  constructor(tell: (event: Event & { readonly count: number }) => void) {
    this.#tell = tell;
  }

  add(kind: string, event: Event, nowMs: number): void {
    const known = this.#kinds.get(kind) ?? { toldAtMs: -Infinity, count: 0, last: event };
    this.#kinds.set(kind, known);
    known.count += 1;
    known.last = event;
    this.tellDue(nowMs);
  }

  /** Tells what has waited for a second; Infinity tells everything. */
  tellDue(nowMs: number): void {
    for (const kind of this.#kinds.values()) {
      if (kind.count === 0 || nowMs - kind.toldAtMs < INTERVAL_MS) continue;
      this.#tell({ ...kind.last, count: kind.count });
      kind.toldAtMs = nowMs;
      kind.count = 0;
    }
  }
}
