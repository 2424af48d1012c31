import type { Clock } from '../base/clock.ts';
import { abortError } from '../base/errors.ts';
import type { TokenBucket } from './token-bucket.ts';
import type { Outcome, Window } from './window.ts';

/** What an attempt asks of the gate. */
export interface AdmissionRequest {
  /** Bytes of body in either direction. */
  readonly bytes: number;
  /** Retries go before fresh blocks: their buffers have been held longest. */
  readonly isRetry: boolean;
  readonly signal: AbortSignal | undefined;
}

/** An admitted attempt; `leave` must be called once. */
export interface Admission {
  leave(outcome: Outcome): void;
}

interface Waiter {
  readonly bytes: number;
  readonly admit: (admission: Admission) => void;
}

/** Where an attempt waits until the window and every rate cap let it through. */
export class Gate {
  readonly #window: Window;
  readonly #requests: TokenBucket;
  readonly #bytes: TokenBucket | undefined;
  readonly #clock: Clock;
  readonly #retries: Waiter[] = [];
  readonly #fresh: Waiter[] = [];
  #inFlight = 0;
  #timer: AbortController | undefined;

  constructor(options: {
    readonly window: Window;
    /** Paces attempts. */
    readonly requests: TokenBucket;
    /** Paces bytes; absent: no cap. */
    readonly bytes?: TokenBucket | undefined;
    readonly clock: Clock;
  }) {
    this.#window = options.window;
    this.#requests = options.requests;
    this.#bytes = options.bytes;
    this.#clock = options.clock;
  }

  /** Attempts admitted and not yet ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Resolves when the attempt may start.
   * @throws AbortError as soon as the signal aborts.
   */
  enter({ bytes, isRetry, signal }: AdmissionRequest): Promise<Admission> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortError(signal));
        return;
      }
      const queue = isRetry ? this.#retries : this.#fresh;
      const onAbort = (): void => {
        queue.splice(queue.indexOf(waiter), 1);
        if (this.#waiting === 0) this.#timer?.abort();
        reject(abortError(signal));
      };
      const waiter: Waiter = {
        bytes,
        admit: (admission) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(admission);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      queue.push(waiter);
      this.#pump();
    });
  }

  get #waiting(): number {
    return this.#retries.length + this.#fresh.length;
  }

  #pump(): void {
    while (this.#waiting > 0 && this.#inFlight < this.#window.limit) {
      const now = this.#clock.now();
      const waitMs = Math.max(this.#requests.waitMs(now), this.#bytes?.waitMs(now) ?? 0);
      if (waitMs > 0) {
        this.#pumpIn(waitMs);
        return;
      }
      const waiter = this.#retries.shift() ?? this.#fresh.shift();
      if (waiter !== undefined) this.#admit(waiter, now);
    }
  }

  #admit(waiter: Waiter, nowMs: number): void {
    this.#requests.take(1);
    this.#bytes?.take(waiter.bytes);
    this.#inFlight += 1;
    const attempt = this.#window.start(nowMs);
    waiter.admit({
      leave: (outcome) => {
        this.#inFlight -= 1;
        attempt.end(outcome, this.#clock.now());
        this.#pump();
      },
    });
  }

  #pumpIn(waitMs: number): void {
    if (this.#timer !== undefined) return;
    const timer = new AbortController();
    this.#timer = timer;
    const wake = (): void => {
      this.#timer = undefined;
      this.#pump();
    };
    this.#clock.sleep(waitMs, timer.signal).then(wake, wake);
  }
}
