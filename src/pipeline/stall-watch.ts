import type { Clock } from '../base/clock.ts';
import { StallRule } from './stall-rule.ts';

const SWEEP_MS = 100;

/** An attempt under way, as the watch is told of it. */
export interface AttemptUnderWay {
  /** 1 for the block's first attempt. */
  readonly attempt: number;
  /** Whether nothing of its job waits any more. */
  readonly isTail: () => boolean;
  /** Called when it has stalled for `idleMs`: it is to be dropped, and to be told as ended. */
  readonly drop: (idleMs: number) => void;
}

/** The watch's side of an attempt; `end` must be called once. */
export interface Watching {
  /** A byte has moved. */
  progress(): void;
  end(isSuccess: boolean): void;
}

interface Entry extends AttemptUnderWay {
  readonly startedAtMs: number;
  readonly completedAtStart: number;
  progressAtMs: number;
}

/** Looks after the attempts of a path and drops those that have stalled: it lends the pure rule a clock. */
export class StallWatch {
  readonly #clock: Clock;
  readonly #rule = new StallRule();
  readonly #entries = new Set<Entry>();
  #timer: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches an attempt from its dispatch on. */
  start(attempt: AttemptUnderWay): Watching {
    const nowMs = this.#clock.now();
    const entry = {
      ...attempt,
      startedAtMs: nowMs,
      completedAtStart: this.#rule.completed,
      progressAtMs: nowMs,
    };
    this.#entries.add(entry);
    this.#sweepLater();
    return {
      progress: () => {
        entry.progressAtMs = this.#clock.now();
      },
      end: (isSuccess) => {
        this.#entries.delete(entry);
        if (isSuccess) this.#rule.succeeded(Math.max(0.001, this.#clock.now() - entry.startedAtMs));
        if (this.#entries.size === 0) this.#timer?.abort();
      },
    };
  }

  #sweepLater(): void {
    if (this.#timer !== undefined) return;
    const timer = new AbortController();
    this.#timer = timer;
    const isOver = (): void => {
      this.#timer = undefined;
      if (this.#entries.size > 0) this.#sweepLater();
    };
    this.#clock
      .sleep(SWEEP_MS, timer.signal)
      .then(() => this.#sweep())
      .then(isOver, isOver);
  }

  #sweep(): void {
    const nowMs = this.#clock.now();
    const width = this.#entries.size;
    for (const entry of this.#entries) {
      const watched = { ...entry, isTail: entry.isTail() };
      if (this.#rule.isStalled(watched, width, nowMs)) entry.drop(nowMs - entry.progressAtMs);
    }
  }
}
