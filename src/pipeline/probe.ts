import { Cohort, type CohortSummary } from './cohort.ts';

/** Part of the estimated pipe that a probe leaves in flight: below it, no queue of ours can hide. */
const FIRST_SHARE = 0.75;
/** Step from one link of the chain to the next. */
const NEXT_SHARE = 0.6;
const SIZE_MIN = 2;
const LINKS_MAX = 7;
/**
 * A latency this much lower, and a standard error more, says that the queue was ours and that there may be more of it.
 * Without the error, chance leads the chain down and the estimate with it (random paths: worst 93.5 %, else 95.5 %).
 */
const IMPROVED = 0.92;

/** Few, for on a thin link each start of a probe takes a second (random paths: with 8, 431 of 440 reach 97 %, else 434). */
const COHORT_MIN = 4;
const COHORT_MAX = 32;

/** What a probe found. */
export interface ProbeResult {
  /** The unloaded latency, up or down from what it was taken for. */
  readonly baseMs: number;
  /** Blocks a millisecond that were delivered before the probe. */
  readonly ratePerMs: number;
}

/**
 * Measures the unloaded latency anew: lowers what is in flight below the pipe, waits for the queue to go, and looks
 * whether latency fell. If it did not, the queue was not ours and the path has become slower. As long as it falls,
 * the next link goes lower still.
 */
export class Probe {
  readonly #ratePerMs: number;
  #baseMs: number;
  #size: number;
  #links = 0;
  #cohort: Cohort | undefined;

  constructor(options: {
    /** Requests that fill the path without a queue, as estimated. */
    readonly pipe: number;
    readonly ratePerMs: number;
    readonly baseMs: number;
  }) {
    this.#size = Math.max(SIZE_MIN, FIRST_SHARE * options.pipe);
    this.#ratePerMs = options.ratePerMs;
    this.#baseMs = options.baseMs;
  }

  /** Requests that may be in flight while it lasts. */
  get size(): number {
    return this.#size;
  }

  /** The cohort that a start of now belongs to; none until what was in flight has drained. */
  cohort(inFlight: number): Cohort | undefined {
    if (this.#cohort === undefined && inFlight <= this.#size) {
      this.#cohort = new Cohort(Math.round(clamp(this.#size, COHORT_MIN, COHORT_MAX)));
    }
    return this.#cohort?.isFull === true ? undefined : this.#cohort;
  }

  /** Takes what the link's cohort says; returns the result when the chain has ended. */
  judge({ medianMs, errorMs }: CohortSummary): ProbeResult | undefined {
    const isImproved = medianMs + errorMs < IMPROVED * this.#baseMs;
    this.#baseMs = this.#links === 0 ? medianMs : Math.min(this.#baseMs, medianMs);
    this.#links += 1;
    if (!isImproved || this.#size <= SIZE_MIN || this.#links >= LINKS_MAX) {
      return { baseMs: this.#baseMs, ratePerMs: this.#ratePerMs };
    }
    this.#size = Math.max(SIZE_MIN, NEXT_SHARE * this.#size);
    this.#cohort = undefined;
    return undefined;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
