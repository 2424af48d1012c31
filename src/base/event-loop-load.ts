import { performance, type EventLoopUtilization } from 'node:perf_hooks';

const INTERVAL_MS = 1000;
const BUSY = 0.95;

/** Tells whether JavaScript's one thread is what limits: busy nearly all of the last second. */
export class EventLoopLoad {
  #since: EventLoopUtilization = performance.eventLoopUtilization();
  #sinceMs = performance.now();
  #isBusy = false;

  get isBusy(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#sinceMs >= INTERVAL_MS) {
      const now = performance.eventLoopUtilization();
      this.#isBusy = performance.eventLoopUtilization(now, this.#since).utilization > BUSY;
      this.#since = now;
      this.#sinceMs = nowMs;
    }
    return this.#isBusy;
  }
}
