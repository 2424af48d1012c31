/** Milliseconds of difference from which a clock is corrected, as in the SDK: AWS refuses signatures at five minutes. */
const SKEW_MIN_MS = 240_000;

/** Where the difference is kept: an SDK client's configuration, so that all who share the client know it. */
export interface ClockOffset {
  /** Milliseconds that the service's clock is ahead of this machine's. */
  systemClockOffset: number;
}

/** The service's time, by this machine's clock and what the service's answers said of its own. */
export class ClockSkew {
  readonly #offset: ClockOffset;
  readonly #isCorrected: boolean;

  /** @param options.isCorrected - false where the client's configuration turns the correction off. */
  constructor(offset: ClockOffset, options: { readonly isCorrected: boolean }) {
    this.#offset = offset;
    this.#isCorrected = options.isCorrected;
  }

  /** Milliseconds since the epoch, by the service's clock. */
  nowMs(): number {
    return Date.now() + (this.#isCorrected ? this.#offset.systemClockOffset : 0);
  }

  /**
   * Compares with the Date of an answer, and corrects the difference if it is large, or if the answer refused the
   * signature for its time. Returns whether it was corrected, so that the same request may succeed now.
   */
  learn(date: string | undefined, { isTimeRefused }: { readonly isTimeRefused: boolean }): boolean {
    const serverMs = Date.parse(date ?? '');
    if (!this.#isCorrected || Number.isNaN(serverMs)) return false;
    const isSkewed = Math.abs(serverMs - this.nowMs()) >= SKEW_MIN_MS;
    if (!isSkewed && !isTimeRefused) return false;
    this.#offset.systemClockOffset = serverMs - Date.now();
    return true;
  }
}
