/** How fast requests may come. */
export interface Quota {
  /** Requests a second. */
  readonly rate: number;
  /** Requests that may come at once after a pause. Default: what comes in a second, at least 1. */
  readonly depth?: number;
}

/** A token bucket, full at first. Rate and depth are given anew each time, so that they may change. */
export class TokenBucket {
  #tokens = Infinity;
  #refilledAtMs = 0;

  /** Whether there is a token now. */
  holds(quota: Quota, nowMs: number): boolean {
    const depth = quota.depth ?? Math.max(1, quota.rate);
    const added = ((nowMs - this.#refilledAtMs) / 1000) * quota.rate;
    this.#tokens = Math.min(depth, this.#tokens + added);
    this.#refilledAtMs = nowMs;
    return this.#tokens >= 1;
  }

  /** Takes a token; the caller has seen that there is one. */
  take(): void {
    this.#tokens -= 1;
  }
}
