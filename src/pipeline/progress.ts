/** Milliseconds between two reports: at most ten a second. */
const INTERVAL_MS = 100;

/** Passes reports on at most ten times a second, and whenever told that it is the last. */
export class ProgressThrottle {
  readonly #report: () => void;
  readonly #now: () => number;
  #reportedAtMs = -Infinity;

  constructor(report: () => void, now: () => number) {
    this.#report = report;
    this.#now = now;
  }

  /** Says that something changed. */
  changed(): void {
    if (this.#now() - this.#reportedAtMs >= INTERVAL_MS) this.flush();
  }

  /** Reports now. */
  flush(): void {
    this.#reportedAtMs = this.#now();
    this.#report();
  }
}
