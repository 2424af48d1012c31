import type { Brake } from './limiter.ts';

/** How much may be under way, and what keeps it from being more. */
export interface WindowState {
  /** Requests that may be in flight now, of all jobs of this process to this endpoint and account in this direction. */
  readonly limit: number;
  /** Jobs that share it. */
  readonly jobs: number;
  /** Requests of this job under way. */
  readonly inFlight: number;
  /** What has kept the job from being faster for most of the last seconds. */
  readonly limitedBy: Brake;
  /** Median milliseconds that a request takes; absent until one has succeeded. */
  readonly latencyMs?: number;
  /** Requests a second that the quota of the snapshot is taken to be; absent while none is known. */
  readonly snapshotPerSecond?: number;
  /** The same for the quota of the account. */
  readonly accountPerSecond?: number;
}

/** Milliseconds between two looks: at most ten reports a second. */
const INTERVAL_MS = 100;
/** Changes of a number below this part of it are the law's own noise. */
const NOTICEABLE = 0.1;

/** What a {@link WindowWatch} looks at, and whom it tells. */
export interface WindowWatchOptions {
  /** The present state; undefined before the first block. */
  readonly read: () => WindowState | undefined;
  readonly report: (state: WindowState) => void;
  readonly now: () => number;
}

/** Reports the window when it has changed noticeably, at most ten times a second. */
export class WindowWatch {
  readonly #options: WindowWatchOptions;
  #reported: WindowState | undefined;
  #lookedAtMs = -Infinity;

  constructor(options: WindowWatchOptions) {
    this.#options = options;
  }

  /** Says that something may have changed. */
  look(): void {
    const { read, report, now } = this.#options;
    const nowMs = now();
    if (nowMs - this.#lookedAtMs < INTERVAL_MS) return;
    this.#lookedAtMs = nowMs;
    const state = read();
    if (state === undefined || !isNews(state, this.#reported)) return;
    this.#reported = state;
    report(state);
  }
}

/** Requests in flight and latency change all the time; alone they are no news. */
function isNews(state: WindowState, before: WindowState | undefined): boolean {
  if (before === undefined) return true;
  if (state.limitedBy !== before.limitedBy || state.jobs !== before.jobs) return true;
  return (['limit', 'snapshotPerSecond', 'accountPerSecond'] as const).some((name) => {
    const [now = Infinity, then = Infinity] = [state[name], before[name]];
    return now !== then && !(Math.abs(now - then) < NOTICEABLE * then);
  });
}
