import { OnlineQuantile } from './online-quantile.ts';

const IDLE_MS_MIN = 5000;
const IDLE_MS_MAX = 60_000;
const IDLE_LATENCIES = 3;
/** Windows-full of others that must have completed before a request without progress counts as overtaken. */
const OVERTAKEN_WINDOWS = 4;

/** Above what a busy machine takes for itself now and then. */
const TAIL_MS_MIN = 1000;
const TAIL_MEDIANS = 3;
/** As long as no latency is known. */
const TAIL_MS_UNKNOWN = 15_000;

/** What the rule knows of one attempt. */
export interface Watched {
  /** Attempts that had completed when this one started: {@link StallRule.completed} at that time. */
  readonly completedAtStart: number;
  /** When a byte last moved in either direction; the start, while none has. */
  readonly progressAtMs: number;
  /** 1 for the block's first attempt. */
  readonly attempt: number;
  /** Whether nothing of the job waits any more, so that the slowest attempts decide when it ends. */
  readonly isTail: boolean;
}

/**
 * Tells a stalled request from a slow path. A limit of time alone would end every request of a slow path at once; so a
 * request must also have been overtaken by several windows of others, which on a slow path nobody is. At the tail of
 * a job nobody is left to overtake, and a request that is late by the latencies of late is worth another try; each
 * time it gets twice as long. Pure: time is a parameter.
 */
export class StallRule {
  readonly #slowestMs = new OnlineQuantile(0.99);
  readonly #medianMs = new OnlineQuantile(0.5);
  #completed = 0;

  /** Attempts that completed so far. */
  get completed(): number {
    return this.#completed;
  }

  /** Milliseconds without progress from which on a request may count as stalled. */
  get idleMs(): number {
    const slow = IDLE_LATENCIES * (this.#slowestMs.value ?? 0);
    return Math.min(IDLE_MS_MAX, Math.max(IDLE_MS_MIN, slow));
  }

  /** Takes an attempt that the service answered well. */
  succeeded(latencyMs: number): void {
    this.#slowestMs.add(latencyMs);
    this.#medianMs.add(latencyMs);
    this.#completed += 1;
  }

  /** Whether `watched` is to be dropped and sent again. */
  isStalled(watched: Watched, width: number, nowMs: number): boolean {
    const idleMs = nowMs - watched.progressAtMs;
    if (watched.isTail && idleMs >= this.#tailMs(watched.attempt)) return true;
    if (idleMs < this.idleMs) return false;
    return this.#completed - watched.completedAtStart > OVERTAKEN_WINDOWS * width;
  }

  #tailMs(attempt: number): number {
    const { value: slowestMs = TAIL_MS_UNKNOWN } = this.#slowestMs;
    const { value: medianMs = TAIL_MS_UNKNOWN } = this.#medianMs;
    const lateMs = Math.min(slowestMs, TAIL_MEDIANS * medianMs);
    return Math.max(TAIL_MS_MIN, lateMs) * 2 ** (attempt - 1);
  }
}
