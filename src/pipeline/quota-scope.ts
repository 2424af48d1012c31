import { TokenBucket } from './token-bucket.ts';

/** Part of a second's requests that are sent before a refusal is judged, and its bounds. */
const ASSESSED_SECONDS = 0.2;
const ASSESSED_MIN = 10;
const ASSESSED_MAX = 100;
const ASSESSED_MS_MAX = 2000;

const REVIEW_MS = 500;
const PRESSED_SHARE = 0.9;
/** Time after a cut before growth sets in again: without, refusals rise by a fifth (random paths). */
const HOLD_MS = 2000;
/** Growth is faster in proportion below this rate and slower above, so that processes converge (scenario 'four processes'). */
const REFERENCE_PER_SECOND = 1000;

/** One request that a scope let through. */
export interface Send {
  readonly number: number;
  readonly atMs: number;
}

interface Assessment {
  readonly from: Send;
  throttles: number;
}

/**
 * One quota of the service, learned from its refusals. A token bucket that refuses tells its true rate, so cuts are
 * small and exact: what was refused of what was sent, and one percent. Pure: time is a parameter.
 */
export class QuotaScope {
  readonly #bucket: TokenBucket;
  #ratePerSecond: number;
  #sends = 0;
  #cutAtMs = -Infinity;
  #assessment: Assessment | undefined;
  #reviewedAtMs: number;
  #sendsAtReview = 0;
  /** Time since the last cut in which the rate was used up. */
  #pressedMs = 0;

  /** @param options.ratePerSecond - what to begin with: the documented quota, or Infinity where none is known. */
  constructor(options: { readonly ratePerSecond: number; readonly nowMs: number }) {
    this.#ratePerSecond = options.ratePerSecond;
    this.#bucket = new TokenBucket(options);
    this.#reviewedAtMs = options.nowMs;
  }

  /** Requests a second that the quota is taken to be. */
  get ratePerSecond(): number {
    return this.#ratePerSecond;
  }

  /** Milliseconds until a request may pass; 0 when it may now. */
  waitMs(nowMs: number): number {
    if (nowMs - this.#reviewedAtMs >= REVIEW_MS) this.#review(nowMs);
    return this.#bucket.waitMs(nowMs);
  }

  /** Lets one request through; to be called only when {@link waitMs} is 0. */
  take(nowMs: number): Send {
    this.#bucket.take(1);
    this.#sends += 1;
    return { number: this.#sends, atMs: nowMs };
  }

  /**
   * Says that this quota refused `send`.
   * @param settleMs - a median latency: for so long after a cut, refusals are still the old rate's (91 % without, in
   * scenario 'raised quota').
   */
  throttled(send: Send, settleMs: number, nowMs: number): void {
    if (send.atMs < this.#cutAtMs + settleMs) return;
    this.#assessment ??= { from: send, throttles: 0 };
    if (send.number >= this.#assessment.from.number) this.#assessment.throttles += 1;
    this.#assess(nowMs);
  }

  #assess(nowMs: number): void {
    if (this.#assessment === undefined) return;
    const { from, throttles } = this.#assessment;
    const sends = this.#sends - from.number + 1;
    const elapsedMs = nowMs - from.atMs;
    const enough = Math.min(
      ASSESSED_MAX,
      Math.max(ASSESSED_MIN, ASSESSED_SECONDS * this.#ratePerSecond),
    );
    if (sends < enough && elapsedMs < ASSESSED_MS_MAX) return;
    // Of those sent, not of those answered: refusals come in milliseconds, and the first answers are nearly all refusals.
    const refused = Math.min(0.9, throttles / sends);
    const measured = (1.2 * sends * 1000) / Math.max(1, elapsedMs);
    // What was let through may be far more than what was sent (38 % refused without, in scenario 'no quota known').
    const base = Math.min(measured, this.#ratePerSecond);
    this.#setRate(Math.max(1, base * (1 - refused) * (0.99 - 0.1 * refused)), nowMs);
    this.#cutAtMs = nowMs;
    this.#pressedMs = 0;
    this.#assessment = undefined;
  }

  #review(nowMs: number): void {
    this.#assess(nowMs);
    const passedMs = nowMs - this.#reviewedAtMs;
    const sent = this.#sends - this.#sendsAtReview;
    this.#reviewedAtMs = nowMs;
    this.#sendsAtReview = this.#sends;
    const isPressed = sent >= PRESSED_SHARE * this.#ratePerSecond * (passedMs / 1000);
    if (!isPressed || this.#assessment !== undefined) return;
    this.#pressedMs += passedMs;
    if (this.#pressedMs <= HOLD_MS) return;
    const growth = Math.min(0.1, 0.0025 * 2 ** ((this.#pressedMs - HOLD_MS) / 2000));
    const step = Math.sqrt(REFERENCE_PER_SECOND * this.#ratePerSecond) * growth;
    this.#setRate(this.#ratePerSecond + step * (passedMs / 1000), nowMs);
  }

  #setRate(ratePerSecond: number, nowMs: number): void {
    this.#ratePerSecond = ratePerSecond;
    this.#bucket.setRate(ratePerSecond, nowMs);
  }
}
