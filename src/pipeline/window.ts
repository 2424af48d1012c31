/** How an attempt ended, as far as a control law cares. */
export type Outcome = 'ok' | 'throttled' | 'failed' | 'cancelled';

/** One attempt that a window was told of. */
export interface WindowAttempt {
  /** To be called once, when the attempt has ended. */
  end(outcome: Outcome, nowMs: number): void;
}

/** How many requests may be in flight: the control law, without timers or sockets. */
export interface Window {
  /** Requests that may be in flight now, at least 1. */
  readonly limit: number;
  /** Tells the law that an attempt was admitted at `nowMs`. */
  start(nowMs: number): WindowAttempt;
}

/** A window that never moves. */
export class FixedWindow implements Window {
  readonly limit: number;

  /** @param limit - requests in flight, at least 1. */
  constructor(limit: number) {
    this.limit = Math.max(1, Math.floor(limit));
  }

  start(): WindowAttempt {
    return UNOBSERVED;
  }
}

const UNOBSERVED: WindowAttempt = { end: () => undefined };
