/** How an attempt ended, as far as the control law cares. A path that was found dead ends its attempts as resets. */
export type Outcome =
  | 'ok'
  | 'throttled-snapshot'
  | 'throttled-account'
  | 'server-error'
  | 'bad-read'
  | 'reset'
  | 'timeout'
  | 'cancelled'
  | 'fatal';

/** One attempt that a window was told of. Only `end` is certain: the rest is told by transports that know it. */
export interface WindowAttempt {
  /** The attempt has a socket; `isFresh`: one that was opened for it, in `connectMs`: one round trip. */
  onSocket(facts: { readonly isFresh: boolean; readonly connectMs?: number }): void;
  /** The first byte of the request was handed to the socket. */
  onFirstByte(nowMs: number): void;
  /** The last byte of the request has left. */
  onFlushed(nowMs: number): void;
  /** The attempt has ended; to be told once. */
  end(outcome: Outcome, nowMs: number): void;
}

/** How many requests may be in flight: the control law, without timers or sockets. */
export interface Window {
  /** Requests that may be in flight now, at least 1. */
  readonly limit: number;
  /** Tells the law that an attempt was dispatched at `nowMs`. */
  start(nowMs: number): WindowAttempt;
}
