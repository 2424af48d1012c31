/** Step of the estimate when a median sample lies above it; the step down follows from the quantile. */
const STEP = 0.05;

/** A running quantile in constant memory: each sample moves the estimate a little towards its side. */
export class OnlineQuantile {
  readonly #up: number;
  readonly #down: number;
  #value: number | undefined;

  /** @param quantile - in (0, 1): 0.5 is the median. */
  constructor(quantile: number) {
    this.#up = 1 + STEP * quantile;
    this.#down = 1 - STEP * (1 - quantile);
  }

  /** The estimate; undefined before the first sample. */
  get value(): number | undefined {
    return this.#value;
  }

  /** @param sample - above 0. */
  add(sample: number): void {
    if (this.#value === undefined) this.#value = sample;
    else this.#value *= sample > this.#value ? this.#up : this.#down;
  }
}
