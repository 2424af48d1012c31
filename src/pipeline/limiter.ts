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

/** Keeps the time spent under each brake. Pure: time is a parameter. */
export class Limiter {
  readonly #spentMs = new Map<Brake, number>();
  #brake: Brake = 'source';
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** The present brake. */
  get brake(): Brake {
    return this.#brake;
  }

  /** Says that from now on `brake` is what limits. */
  enter(brake: Brake, nowMs: number): void {
    this.#spentMs.set(this.#brake, this.spentMs(this.#brake, nowMs));
    this.#brake = brake;
    this.#sinceMs = nowMs;
  }

  /** Milliseconds under `brake` so far. */
  spentMs(brake: Brake, nowMs: number): number {
    const before = this.#spentMs.get(brake) ?? 0;
    return brake === this.#brake ? before + nowMs - this.#sinceMs : before;
  }
}
