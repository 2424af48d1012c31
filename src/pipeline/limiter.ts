/** What keeps a job from being faster. */
export type Brake =
  | 'window'
  | 'snapshot-quota'
  | 'account-quota'
  | 'user-cap'
  | 'source'
  | 'memory'
  | 'cpu'
  | 'retry-wait';

/** Milliseconds by brake. */
export type BrakeTimes = Partial<Record<Brake, number>>;

/** How far back "lately" reaches, up to twice as far. */
const LATELY_MS = 1000;

/** Keeps the time spent under each brake. Pure: time is a parameter. */
export class Limiter {
  readonly #spentMs: BrakeTimes = {};
  #brake: Brake = 'source';
  #sinceMs: number;
  /** The times at the two last marks, and when the last was set. */
  #beforeMarks: readonly [BrakeTimes, BrakeTimes] = [{}, {}];
  #markedAtMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.#markedAtMs = nowMs;
  }

  /** The brake of this moment; it flickers from one block to the next. */
  get brake(): Brake {
    return this.#brake;
  }

  /** Says that from now on `brake` is what limits. */
  enter(brake: Brake, nowMs: number): void {
    if (nowMs - this.#markedAtMs >= LATELY_MS) {
      this.#beforeMarks = [this.#beforeMarks[1], this.allSpentMs(nowMs)];
      this.#markedAtMs = nowMs;
    }
    this.#spentMs[this.#brake] = this.spentMs(this.#brake, nowMs);
    this.#brake = brake;
    this.#sinceMs = nowMs;
  }

  /** The brake of most of the last second or two. */
  lately(nowMs: number): Brake {
    const [before] = this.#beforeMarks;
    let [longest, longestMs]: [Brake, number] = [this.#brake, 0];
    for (const [brake, spentMs] of Object.entries(this.allSpentMs(nowMs)) as [Brake, number][]) {
      const lateMs = spentMs - (before[brake] ?? 0);
      if (lateMs > longestMs) [longest, longestMs] = [brake, lateMs];
    }
    return longest;
  }

  /** Milliseconds under `brake` so far. */
  spentMs(brake: Brake, nowMs: number): number {
    const before = this.#spentMs[brake] ?? 0;
    return brake === this.#brake ? before + nowMs - this.#sinceMs : before;
  }

  /** Milliseconds under each brake so far. */
  allSpentMs(nowMs: number): BrakeTimes {
    return { ...this.#spentMs, [this.#brake]: this.spentMs(this.#brake, nowMs) };
  }
}
