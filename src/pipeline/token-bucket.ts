/** Milliseconds of tokens that may pile up: enough to pace on millisecond timers, too little for a burst. */
const DEPTH_MS = 20;

/**
 * Paces amounts (requests or bytes) to a rate. An amount is let through as soon as the bucket is not in debt, and may
 * put it into debt, so amounts larger than the bucket need no case of their own. Pure: time is a parameter.
 */
export class TokenBucket {
  #ratePerMs: number;
  #tokens = 0;
  #refilledAtMs: number;

  /** @param options.ratePerSecond - amount a second, above 0; Infinity paces nothing. */
  constructor(options: { readonly ratePerSecond: number; readonly nowMs: number }) {
    this.#ratePerMs = options.ratePerSecond / 1000;
    this.#refilledAtMs = options.nowMs;
  }

  /** Changes the rate from now on; what is in the bucket, or owed, stays. */
  setRate(ratePerSecond: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#ratePerMs = ratePerSecond / 1000;
    this.#refill(nowMs);
  }

  /** Milliseconds until an amount may pass; 0 when it may now. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens >= 0) return 0;
    // Rounded up, so that rounding errors cannot leave a debt whose wait is too short to move a clock.
    return Math.ceil((-this.#tokens / this.#ratePerMs) * 1000) / 1000;
  }

  /** Takes `amount`; to be called only when {@link waitMs} is 0. */
  take(amount: number): void {
    this.#tokens -= amount;
  }

  #refill(nowMs: number): void {
    const passedMs = nowMs - this.#refilledAtMs;
    this.#refilledAtMs = nowMs;
    if (this.#ratePerMs === Infinity) {
      this.#tokens = 0;
      return;
    }
    this.#tokens = Math.min(this.#ratePerMs * DEPTH_MS, this.#tokens + passedMs * this.#ratePerMs);
  }
}
