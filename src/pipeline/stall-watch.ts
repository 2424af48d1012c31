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

/** Times of an attempt under way. */
class Entry implements Watching {
  readonly underWay: AttemptUnderWay;
  readonly startedAtMs: number;
  readonly completedAtStart: number;
  progressAtMs: number;
  readonly #watch: EntryOwner;

  constructor(underWay: AttemptUnderWay, completedAtStart: number, watch: EntryOwner) {
    this.underWay = underWay;
    this.startedAtMs = watch.now();
    this.completedAtStart = completedAtStart;
    this.progressAtMs = this.startedAtMs;
    this.#watch = watch;
  }

  progress(): void {
    this.progressAtMs = this.#watch.now();
  }

  end(isSuccess: boolean): void {
    this.#watch.ended(this, isSuccess);
  }
}

interface EntryOwner {
  now(): number;
  ended(entry: Entry, isSuccess: boolean): void;
}

/** Looks after the attempts of a path and drops those that have stalled: it lends the pure rule a clock. */
export class StallWatch {
  readonly #clock: Clock;
  readonly #rule = new StallRule();
  readonly #entries = new Set<Entry>();
  readonly #owner: EntryOwner = {
    now: () => this.#clock.now(),
    ended: (entry, isSuccess) => this.#ended(entry, isSuccess),
  };
  #timer: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches an attempt from its dispatch on. */
  start(attempt: AttemptUnderWay): Watching {
    const entry = new Entry(attempt, this.#rule.completed, this.#owner);
    this.#entries.add(entry);
    this.#sweepLater();
    return entry;
  }

  #ended(entry: Entry, isSuccess: boolean): void {
    this.#entries.delete(entry);
    if (isSuccess) this.#rule.succeeded(Math.max(0.001, this.#clock.now() - entry.startedAtMs));
    if (this.#entries.size === 0) this.#timer?.abort();
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
      const { underWay, completedAtStart, progressAtMs } = entry;
      const { attempt } = underWay;
      const watched = { completedAtStart, progressAtMs, attempt, isTail: underWay.isTail() };
      if (this.#rule.isStalled(watched, width, nowMs)) underWay.drop(nowMs - progressAtMs);
    }
  }
}
