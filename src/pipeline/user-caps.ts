import { TokenBucket } from './token-bucket.ts';

/** Caps that a user sets; absent: none. */
export interface Caps {
  readonly requestsPerSecond?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
}

/** A job's own pace, retries included. Pure: time is a parameter. */
export class UserCaps {
  readonly #requests: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(caps: Caps, nowMs: number) {
    const { requestsPerSecond = Infinity, bytesPerSecond = Infinity } = caps;
    this.#requests = new TokenBucket({ ratePerSecond: requestsPerSecond, nowMs });
    this.#bytes = new TokenBucket({ ratePerSecond: bytesPerSecond, nowMs });
  }

  /** Changes the caps from now on. */
  set(caps: Caps, nowMs: number): void {
    this.#requests.setRate(caps.requestsPerSecond ?? Infinity, nowMs);
    this.#bytes.setRate(caps.bytesPerSecond ?? Infinity, nowMs);
  }

  /** Milliseconds until a request may pass; 0 when it may now. */
  waitMs(nowMs: number): number {
    return Math.max(this.#requests.waitMs(nowMs), this.#bytes.waitMs(nowMs));
  }

  /** Lets a request of `bytes` through; to be called only when {@link waitMs} is 0. */
  take(bytes: number): void {
    this.#requests.take(1);
    this.#bytes.take(bytes);
  }
}
