import type { Clock } from '../base/clock.ts';
import { abortError } from '../base/errors.ts';
import type { AttemptObserver } from '../transport/transport.ts';
import { AbortRelay } from './abort-relay.ts';
import type { Governor, Ticket } from './governor.ts';
import { StallWatch, type Watching } from './stall-watch.ts';
import type { LineLimits, LineOptions, Waiter, WaitingLine } from './waiting-line.ts';
import type { WindowState } from './window-watch.ts';
import type { Outcome } from './window.ts';

/** What an attempt asks of the gate. */
export interface AdmissionRequest {
  /** Bytes of body in either direction. */
  readonly bytes: number;
  /** 1 for the block's first attempt. Retries go before fresh blocks: their buffers have been held longest. */
  readonly attempt: number;
  readonly signal: AbortSignal | undefined;
}

/** An admitted attempt; `leave` must be called once. */
export interface Admission {
  /** To be told of the attempt's progress. */
  readonly observer: AttemptObserver;
  /** Aborts the attempt: with the request's own signal, or because it has stalled. */
  readonly signal: AbortSignal;
  /** Milliseconds in which nothing had moved when the attempt was dropped for it; undefined unless it was. */
  readonly stalledMs: number | undefined;
  leave(outcome: Outcome): void;
}

/** Where the attempts of all jobs wait until the governor lets them through: it lends the pure law a clock and promises. */
export class Gate {
  readonly #governor: Governor;
  readonly #clock: Clock;
  readonly #stalls: StallWatch;
  readonly #relays = new WeakMap<AbortSignal, AbortRelay>();
  readonly #unsignalled = new AbortRelay(undefined);
  #timer: { readonly atMs: number; readonly abort: AbortController } | undefined;

  constructor({ governor, clock }: { readonly governor: Governor; readonly clock: Clock }) {
    this.#governor = governor;
    this.#clock = clock;
    this.#stalls = new StallWatch(clock);
  }

  /** Whether no job is left. */
  get isDeserted(): boolean {
    return this.#governor.lineCount === 0;
  }

  /** Lets a job join; its attempts wait in the line that it gets. */
  join(options: LineOptions): WaitingLine {
    return this.#governor.join(options, this.#clock.now());
  }

  /** Changes what a job may use: what the new limits allow starts at once. */
  setLimits(line: WaitingLine, limits: LineLimits): void {
    line.setLimits(limits, this.#clock.now());
    this.#pump();
  }

  /** What a job is to know of the window and of the quotas learned. */
  stateOf(line: WaitingLine): WindowState {
    return this.#governor.stateOf(line, this.#clock.now());
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
  enter(line: WaitingLine, request: AdmissionRequest): Promise<Admission> {
    const { bytes, attempt, signal } = request;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortError(signal));
        return;
      }
      const relay = this.#relayOf(signal);
      const onAbort = (): void => {
        relay.remove(onAbort);
        line.remove(waiter);
        reject(abortError(signal));
        // Not before: it would let others through that the same signal is about to end.
        if (line.length === 0) this.#pump();
      };
      const waiter: Waiter = {
        bytes,
        isRetry: attempt > 1,
        admit: (ticket) => {
          const admission = this.#admission(ticket, line, { attempt, signal, relay });
          relay.remove(onAbort);
          resolve(admission);
        },
      };
      relay.add(onAbort);
      line.add(waiter);
      this.#pump();
    });
  }

  #admission(
    ticket: Ticket,
    line: WaitingLine,
    {
      attempt,
      signal,
      relay,
    }: Pick<AdmissionRequest, 'attempt' | 'signal'> & { relay: AbortRelay },
  ): Admission {
    const abort = relay.lend();
    const onAbort = (): void => abort.abort(signal?.reason);
    relay.add(onAbort);
    let stalledMs: number | undefined;
    const watching = this.#stalls.start({
      attempt,
      isTail: () => line.isTail,
      drop: (idleMs) => {
        stalledMs ??= idleMs;
        abort.abort();
      },
    });
    return {
      observer: new AdmissionObserver(ticket.attempt, watching, this.#clock),
      signal: abort.signal,
      get stalledMs() {
        return stalledMs;
      },
      leave: (outcome) => {
        relay.remove(onAbort);
        relay.giveBack(abort);
        watching.end(outcome === 'ok');
        ticket.end(outcome, this.#clock.now());
        this.#pump();
      },
    };
  }

  #relayOf(signal: AbortSignal | undefined): AbortRelay {
    if (signal === undefined) return this.#unsignalled;
    let relay = this.#relays.get(signal);
    if (relay === undefined) this.#relays.set(signal, (relay = new AbortRelay(signal)));
    return relay;
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

/** Tells both the law and the watch what happens on the wire. */
class AdmissionObserver implements Required<AttemptObserver> {
  readonly #law: Ticket['attempt'];
  readonly #watching: Watching;
  readonly #clock: Clock;

  constructor(law: Ticket['attempt'], watching: Watching, clock: Clock) {
    this.#law = law;
    this.#watching = watching;
    this.#clock = clock;
  }

  onSocket(facts: { isFresh: boolean; connectMs?: number }): void {
    this.#watching.progress();
    this.#law.onSocket(facts);
  }

  onFirstByte(): void {
    this.#watching.progress();
    this.#law.onFirstByte(this.#clock.now());
  }

  onProgress(): void {
    this.#watching.progress();
  }

  onFlushed(): void {
    this.#watching.progress();
    this.#law.onFlushed(this.#clock.now());
  }

  onAnswer(): void {
    this.#watching.progress();
  }
}
