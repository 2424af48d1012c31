import { OnlineQuantile } from './online-quantile.ts';

const IDLE_MS_MIN = 5000;
const IDLE_MS_MAX = 60_000;
const IDLE_LATENCIES = 3;
/** Windows-full of others that must have completed before a request without progress counts as overtaken. */
const OVERTAKEN_WINDOWS = 4;
const PATH_DEAD_MS = 45_000;

/** What the rule knows of one attempt. */
export interface Watched {
  /** Attempts that had completed when this one started: {@link StallRule.completed} at that time. */
  readonly completedAtStart: number;
  /** When a byte last moved in either direction; the start, while none has. */
  readonly progressAtMs: number;
}

/**
 * Tells a stalled request from a slow path. A limit of time alone would end every request of a slow path at once; so a
 * request must also have been overtaken by several windows of others, which on a slow path nobody is. Pure: time is a
 * parameter.
 */
export class StallRule {
  readonly #slowestMs = new OnlineQuantile(0.99);
  #completed = 0;
  #completedAtMs: number;

  constructor(nowMs: number) {
    this.#completedAtMs = nowMs;
  }

  /** Attempts that completed so far. */
  get completed(): number {
    return this.#completed;
  }

  /** 99th percentile of the latencies of late; undefined before the first. */
  get slowestMs(): number | undefined {
    return this.#slowestMs.value;
  }

  /** Milliseconds without progress from which on a request may count as stalled. */
  get idleMs(): number {
    const slow = IDLE_LATENCIES * (this.#slowestMs.value ?? 0);
    return Math.min(IDLE_MS_MAX, Math.max(IDLE_MS_MIN, slow));
  }

  /** Takes an attempt that the service answered well. */
  succeeded(latencyMs: number, nowMs: number): void {
    this.#slowestMs.add(latencyMs);
    this.#completed += 1;
    this.#completedAtMs = nowMs;
  }

  /** Takes the start of an attempt while nothing was in flight: the path could not show life before. */
  startedAlone(nowMs: number): void {
    this.#completedAtMs = nowMs;
  }

  /** Whether `watched` is to be dropped and sent again. */
  isStalled(watched: Watched, width: number, nowMs: number): boolean {
    if (nowMs - watched.progressAtMs < this.idleMs) return false;
    return this.#completed - watched.completedAtStart > OVERTAKEN_WINDOWS * width;
  }

  /** Whether nothing at all completes any more, so that every request is to be dropped, as resets of the path. */
  isPathDead(lastProgressAtMs: number, nowMs: number): boolean {
    return nowMs - Math.max(lastProgressAtMs, this.#completedAtMs) >= PATH_DEAD_MS;
  }
}
