/** What a cohort says of the path. */
export interface CohortSummary {
  /** Median latency, attempts that have not answered counted as slow. */
  readonly medianMs: number;
  /** Standard error of that median. */
  readonly errorMs: number;
  /** Mean of the requests in flight while the cohort was under way. */
  readonly inFlight: number;
  readonly size: number;
  /** Whether most answers spent more than half of their time on the way of the body, as far as it was told. */
  readonly isBodyBound: boolean;
}

/** What an answered member tells. */
export interface CohortAnswer {
  readonly latencyMs: number;
  /** Mean of the requests in flight when it started and ended. */
  readonly inFlight: number;
  readonly isBodyBound: boolean;
}

/** Share of a cohort that must have answered before it is judged. */
const RIPE_SHARE = 0.75;

/** Standard error of a median per interquartile range, times the root of the size (normal samples). */
const MEDIAN_ERROR_PER_IQR = 0.93;

/** So that rates stay finite on a clock too coarse for the path. */
const MEDIAN_MS_MIN = 0.001;

/**
 * Consecutive starts whose latencies are judged together. Whichever answers arrive first are the fast half while the
 * window moves, and would make it grow without end; so the members are chosen when they start, and the slow ones
 * count though they have not answered.
 */
export class Cohort {
  readonly #size: number;
  #started = 0;
  #dropped = 0;
  #inFlightSum = 0;
  #bodyBound = 0;
  readonly #latenciesMs: number[] = [];

  /** @param size - starts that belong together, at least 1. */
  constructor(size: number) {
    this.#size = size;
  }

  /** Whether it takes no further start. */
  get isFull(): boolean {
    return this.#started >= this.#size;
  }

  /** Whether it can be judged. A cohort of which nothing is left never is. */
  get isRipe(): boolean {
    const members = this.#started - this.#dropped;
    return this.isFull && members > 0 && this.#latenciesMs.length >= members * RIPE_SHARE;
  }

  start(): void {
    this.#started += 1;
  }

  answer({ latencyMs, inFlight, isBodyBound }: CohortAnswer): void {
    this.#latenciesMs.push(latencyMs);
    this.#inFlightSum += inFlight;
    if (isBodyBound) this.#bodyBound += 1;
  }

  /** Takes a member out that ended without saying anything of latency: refused, failed or cancelled. */
  drop(): void {
    this.#dropped += 1;
  }

  /** To be called only when {@link isRipe}. */
  summary(): CohortSummary {
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    const members = this.#started - this.#dropped;
    const quantile = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * members))] ?? 0;
    const iqrMs = quantile(0.75) - quantile(0.25);
    return {
      medianMs: Math.max(MEDIAN_MS_MIN, quantile(0.5)),
      errorMs: (MEDIAN_ERROR_PER_IQR * iqrMs) / Math.sqrt(members),
      inFlight: this.#inFlightSum / sorted.length,
      size: members,
      isBodyBound: this.#bodyBound > sorted.length / 2,
    };
  }
}
