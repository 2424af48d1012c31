import { BLOCK_SIZE } from '../../src/base/constants.ts';
import type { RetryClass } from '../../src/base/errors.ts';
import { Governor, type Ticket } from '../../src/pipeline/governor.ts';
import { retryDelayMs } from '../../src/pipeline/retry-schedule.ts';
import { StallRule, type Watched } from '../../src/pipeline/stall-rule.ts';
import type { Caps } from '../../src/pipeline/user-caps.ts';
import type { WaitingLine } from '../../src/pipeline/waiting-line.ts';
import type { Outcome } from '../../src/pipeline/window.ts';
import type { EventQueue } from './event-queue.ts';
import type { RunRecord } from './run-record.ts';
import type { SimulatedService } from './simulated-service.ts';

/** Resolution of the timers that the library has: Node's. */
const TIMER_MS = 1;
const SWEEP_MS = 500;

/** What a process is made of. */
export interface ProcessOptions {
  readonly writers: number;
  readonly memoryBlocks: number;
  readonly caps: Caps;
  /** Whether the transport tells of sockets and flushes, as the lean one does. */
  readonly isObserved: boolean;
  readonly quotaPerSecond: number;
  readonly name: string;
}

interface Attempt extends Watched {
  progressAtMs: number;
  isFlushed: boolean;
  isEnded: boolean;
  end(outcome: Outcome): void;
}

interface Writer {
  readonly line: WaitingLine;
  readonly snapshotId: string;
  outstanding: number;
  asleep: number;
  ready: number;
}

/** One process: writers on one governor, over the simulated service, with the library's own classes. */
export class SimulatedProcess {
  readonly governor: Governor;
  readonly #events: EventQueue;
  readonly #service: SimulatedService;
  readonly #record: RunRecord;
  readonly #random: () => number;
  readonly #options: ProcessOptions;
  readonly #stalls: StallRule;
  readonly #attempts = new Set<Attempt>();
  #idleSockets = 0;
  #cpuFreeAtMs = 0;
  #wakesAtMs = Infinity;

  constructor(
    world: {
      readonly events: EventQueue;
      readonly service: SimulatedService;
      readonly record: RunRecord;
      readonly random: () => number;
    },
    options: ProcessOptions,
  ) {
    this.#events = world.events;
    this.#service = world.service;
    this.#record = world.record;
    this.#random = world.random;
    this.#options = options;
    const { nowMs } = world.events;
    this.governor = new Governor({
      accountPerSecond: options.quotaPerSecond,
      snapshotPerSecond: options.quotaPerSecond,
      nowMs,
    });
    this.#stalls = new StallRule();
    for (let index = 0; index < options.writers; index += 1) this.#open(`${options.name}.${index}`);
    this.#sweep();
  }

  #open(snapshotId: string): void {
    const { memoryBlocks, caps } = this.#options;
    const writer: Writer = {
      line: this.governor.join(
        { snapshotId, caps, memoryBlocks, retriesAsleep: () => writer.asleep },
        this.#events.nowMs,
      ),
      snapshotId,
      outstanding: 0,
      asleep: 0,
      ready: 0,
    };
    this.#record.writers.push(snapshotId);
    this.#read(writer);
  }

  /** Brings blocks from the writer's source as fast as it and memory allow. */
  #read(writer: Writer): void {
    const { sourcePerSecond } = this.#service.path;
    const isUnbound = sourcePerSecond === Infinity;
    if (isUnbound) writer.ready = Infinity;
    else if (writer.outstanding < this.#options.memoryBlocks) writer.ready += 1;
    this.#offer(writer);
    if (!isUnbound) this.#events.after(1000 / sourcePerSecond, () => this.#read(writer));
  }

  #offer(writer: Writer): void {
    while (writer.ready >= 1 && writer.outstanding < this.#options.memoryBlocks) {
      writer.ready -= 1;
      writer.outstanding += 1;
      this.#wait(writer, { failures: new Map(), firstFailureMs: undefined });
    }
    this.#pump();
  }

  #wait(
    writer: Writer,
    history: { failures: Map<RetryClass, number>; firstFailureMs: number | undefined },
  ): void {
    writer.line.add({
      bytes: BLOCK_SIZE,
      isRetry: history.failures.size > 0,
      admit: (ticket) =>
        this.#attempt(writer, ticket, (outcome) => {
          if (outcome === 'ok') {
            writer.outstanding -= 1;
            this.#record.acknowledged(writer.snapshotId, this.#events.nowMs);
            this.#offer(writer);
            return;
          }
          const retryClass = outcome.startsWith('throttled') ? 'throttle' : 'transient';
          const failures = (history.failures.get(retryClass) ?? 0) + 1;
          history.failures.set(retryClass, failures);
          const delayMs = retryDelayMs(
            { retryClass, failures, sinceFirstFailureMs: 0, visibilityLeftMs: 0 },
            this.#random,
          );
          writer.asleep += 1;
          this.#events.after(delayMs ?? 0, () => {
            writer.asleep -= 1;
            this.#wait(writer, history);
            this.#pump();
          });
          this.#pump();
        }),
    });
  }

  #attempt(writer: Writer, ticket: Ticket, ended: (outcome: Outcome) => void): void {
    const { nowMs } = this.#events;
    const { isObserved } = this.#options;
    this.#record.sent(nowMs, this.governor.inFlight);
    const isFresh = this.#idleSockets === 0;
    if (!isFresh) this.#idleSockets -= 1;
    let breakOff = (): void => undefined;
    const attempt: Attempt = {
      attempt: 1,
      isTail: false,
      completedAtStart: this.#stalls.completed,
      progressAtMs: nowMs,
      isFlushed: false,
      isEnded: false,
      end: (outcome) => {
        if (attempt.isEnded) return;
        attempt.isEnded = true;
        breakOff();
        this.#attempts.delete(attempt);
        const atMs = this.#events.nowMs;
        if (outcome === 'ok' || outcome.startsWith('throttled')) this.#idleSockets += 1;
        if (outcome === 'ok') this.#stalls.succeeded(atMs - nowMs);
        this.#record.ended(outcome, atMs);
        ticket.end(outcome, atMs);
        ended(outcome);
      },
    };
    this.#attempts.add(attempt);
    const send = (): void => {
      if (attempt.isEnded) return;
      if (isObserved) ticket.attempt.onFirstByte(this.#events.nowMs);
      breakOff = this.#service.put(writer.snapshotId, {
        flushed: () => {
          attempt.isFlushed = true;
          attempt.progressAtMs = this.#events.nowMs;
          if (isObserved) ticket.attempt.onFlushed(this.#events.nowMs);
        },
        replied: (reply) => attempt.end(reply),
      });
    };
    const { rttMs, connectRtts } = this.#service.path;
    const connectMs = isFresh ? rttMs * connectRtts : 0;
    if (isObserved) ticket.attempt.onSocket({ isFresh, ...(isFresh ? { connectMs: rttMs } : {}) });
    this.#events.after(this.#cpuWaitMs() + connectMs, send);
  }

  /** Time until the process's one thread has dealt with one more request. */
  #cpuWaitMs(): number {
    const { nowMs } = this.#events;
    this.#cpuFreeAtMs = Math.max(nowMs, this.#cpuFreeAtMs) + this.#service.path.cpuMs;
    return this.#cpuFreeAtMs - nowMs;
  }

  #pump(): void {
    const { nowMs } = this.#events;
    const waitMs = this.governor.pump(nowMs);
    if (waitMs === undefined) return;
    const atMs = Math.ceil((nowMs + waitMs) / TIMER_MS) * TIMER_MS;
    if (atMs >= this.#wakesAtMs) return;
    this.#wakesAtMs = atMs;
    this.#events.after(atMs - nowMs, () => {
      if (this.#wakesAtMs !== atMs) return;
      this.#wakesAtMs = Infinity;
      this.#pump();
    });
  }

  #sweep(): void {
    const { nowMs } = this.#events;
    const width = this.#attempts.size;
    for (const attempt of this.#attempts) {
      if (!attempt.isFlushed) attempt.progressAtMs = nowMs;
      if (this.#stalls.isStalled(attempt, width, nowMs)) attempt.end('timeout');
    }
    this.#events.after(SWEEP_MS, () => this.#sweep());
  }
}
