import type { Connection } from './connection.ts';
import type { Progress, ThrottleEvent, WindowEvent } from './events.ts';
import type { Limits } from './options.ts';
import type { Brake } from './pipeline/limiter.ts';

/** How a job stands, and what has kept it from being faster so far. */
export interface JobState {
  readonly progress: Progress;
  /** Absent before the first block. */
  readonly window?: WindowEvent;
  /** Milliseconds spent under each brake since the first block; a brake that never was is absent. */
  readonly spentMs: Readonly<Partial<Record<Brake, number>>>;
  /** Refusals so far, by the quota that refused. */
  readonly throttles: Readonly<Record<ThrottleEvent['scope'], number>>;
}

/** A job under way: every SnapshotWriter is one, and `on.start` hands out those of the functions. */
export interface Job {
  /**
   * The caps in force. To assign replaces all of them, and a member left out is back at its default; so a single one
   * is changed by `job.limits = { ...job.limits, maxBytesPerSecond }`. No request starts in breach of the new ones.
   * Memory grows at once and shrinks as blocks come home.
   * @throws TypeError or RangeError naming the member; nothing is changed then.
   */
  get limits(): Limits;
  set limits(limits: Limits);
  /** How it stands, now. */
  readonly state: JobState;
}

/** Puts together how a job stands. */
export function jobState(
  progress: Progress,
  { window, spentMs, throttles }: Pick<Connection, 'window' | 'spentMs' | 'throttles'>,
): JobState {
  return { progress, ...(window === undefined ? {} : { window }), spentMs, throttles };
}
