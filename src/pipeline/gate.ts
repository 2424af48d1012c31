import type { Clock } from '../base/clock.ts';
import { abortError } from '../base/errors.ts';
import type { AttemptObserver } from '../transport/transport.ts';
import type { Governor, Ticket } from './governor.ts';
import type { LineOptions, Waiter, WaitingLine } from './waiting-line.ts';
import type { Outcome } from './window.ts';

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
  /** To be told of the attempt's progress. */
  readonly observer: AttemptObserver;
  leave(outcome: Outcome): void;
}

/** Where the attempts of all jobs wait until the governor lets them through: it lends the pure law a clock and promises. */
export class Gate {
  readonly #governor: Governor;
  readonly #clock: Clock;
  #timer: { readonly atMs: number; readonly abort: AbortController } | undefined;

  constructor({ governor, clock }: { readonly governor: Governor; readonly clock: Clock }) {
    this.#governor = governor;
    this.#clock = clock;
  }

  /** Whether no job is left. */
  get isDeserted(): boolean {
    return this.#governor.lineCount === 0;
  }

  /** Lets a job join; its attempts wait in the line that it gets. */
  join(options: LineOptions): WaitingLine {
    return this.#governor.join(options, this.#clock.now());
  }

  /** Takes a job out, none of whose attempts wait any more. */
  leave(line: WaitingLine): void {
    this.#governor.leave(line);
    this.#pump();
  }

  /**
   * Resolves when the attempt may start.
   * @throws AbortError as soon as the signal aborts.
   */
  enter(line: WaitingLine, { bytes, isRetry, signal }: AdmissionRequest): Promise<Admission> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortError(signal));
        return;
      }
      const onAbort = (): void => {
        line.remove(waiter);
        reject(abortError(signal));
        // Not before: it would let others through that the same signal is about to end.
        if (line.length === 0) this.#pump();
      };
      const waiter: Waiter = {
        bytes,
        isRetry,
        admit: (ticket) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(this.#admission(ticket));
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      line.add(waiter);
      this.#pump();
    });
  }

  #admission(ticket: Ticket): Admission {
    const { attempt } = ticket;
    const now = (): number => this.#clock.now();
    return {
      observer: {
        onSocket: (facts) => attempt.onSocket(facts),
        onFirstByte: () => attempt.onFirstByte(now()),
        onFlushed: () => attempt.onFlushed(now()),
      },
      leave: (outcome) => {
        ticket.end(outcome, now());
        this.#pump();
      },
    };
  }

  #pump(): void {
    const nowMs = this.#clock.now();
    const waitMs = this.#governor.pump(nowMs);
    if (waitMs === undefined) {
      this.#timer?.abort.abort();
      this.#timer = undefined;
    } else if (this.#timer === undefined || nowMs + waitMs < this.#timer.atMs) {
      this.#timer?.abort.abort();
      this.#pumpIn(waitMs, nowMs);
    }
  }

  #pumpIn(waitMs: number, nowMs: number): void {
    const timer = { atMs: nowMs + waitMs, abort: new AbortController() };
    this.#timer = timer;
    const wake = (): void => {
      if (this.#timer !== timer) return;
      this.#timer = undefined;
      this.#pump();
    };
    this.#clock.sleep(waitMs, timer.abort.signal).then(wake, () => undefined);
  }
}
