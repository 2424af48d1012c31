import { Limiter, type Brake } from './limiter.ts';
import type { QuotaScope, Send } from './quota-scope.ts';
import type { Ticket } from './governor.ts';
import { UserCaps, type Caps } from './user-caps.ts';

/** One attempt that waits to start. */
export interface Waiter {
  /** Bytes of body in either direction. */
  readonly bytes: number;
  /** Retries go before fresh blocks: their buffers have been held longest. */
  readonly isRetry: boolean;
  /** Called once, when the attempt may start. */
  admit(ticket: Ticket): void;
}

/** What a job may use; may change while it runs. */
export interface LineLimits {
  readonly caps: Caps;
  /** Blocks that the job's memory holds. */
  readonly memoryBlocks: number;
}

/** What a job tells of itself when it joins. */
export interface LineOptions extends LineLimits {
  readonly snapshotId: string;
  /** Attempts of the job that wait for their time to be repeated. */
  readonly retriesAsleep: () => number;
}

/** The attempts of one job that wait, and what keeps them. */
export class WaitingLine {
  readonly caps: UserCaps;
  readonly limiter: Limiter;
  readonly options: LineOptions;
  readonly #account: QuotaScope;
  readonly #snapshot: QuotaScope;
  readonly #retries: Waiter[] = [];
  readonly #fresh: Waiter[] = [];
  #memoryBlocks: number;
  /** Attempts of this line that are under way. */
  inFlight = 0;
  /** Whether the job has nothing to add any more but retries. */
  isEnding = false;
  /**
   * Whether the snapshot turned out not to be known everywhere yet. Nothing starts then but one retry at a time, to find
   * out: whatever else were sent would be refused.
   */
  isProbing = false;

  constructor(
    options: LineOptions,
    scopes: { readonly account: QuotaScope; readonly snapshot: QuotaScope },
    nowMs: number,
  ) {
    this.options = options;
    this.#memoryBlocks = options.memoryBlocks;
    this.caps = new UserCaps(options.caps, nowMs);
    this.limiter = new Limiter(nowMs);
    this.#account = scopes.account;
    this.#snapshot = scopes.snapshot;
  }

  /** Attempts that wait, and may start as soon as there is room. */
  get length(): number {
    if (this.isProbing) return this.inFlight === 0 ? this.#retries.length : 0;
    return this.#retries.length + this.#fresh.length;
  }

  /** Blocks that the job's memory holds now. */
  get memoryBlocks(): number {
    return this.#memoryBlocks;
  }

  /** Changes what the job may use from now on. */
  setLimits({ caps, memoryBlocks }: LineLimits, nowMs: number): void {
    this.caps.set(caps, nowMs);
    this.#memoryBlocks = memoryBlocks;
  }

  /** Whether the end of the job waits for nothing but the attempts under way. */
  get isTail(): boolean {
    return this.isEnding && this.#retries.length + this.#fresh.length === 0;
  }

  add(waiter: Waiter): void {
    this.#queueOf(waiter).push(waiter);
  }

  /** Takes out an attempt that no longer wants to start. */
  remove(waiter: Waiter): void {
    const queue = this.#queueOf(waiter);
    const position = queue.indexOf(waiter);
    if (position >= 0) queue.splice(position, 1);
  }

  /** Milliseconds until every scope has a token for the next attempt; 0 when they have now. */
  waitMs(nowMs: number): number {
    return Math.max(
      this.#account.waitMs(nowMs),
      this.#snapshot.waitMs(nowMs),
      this.caps.waitMs(nowMs),
    );
  }

  /** The scope whose token comes last; undefined when all have one. */
  missing(nowMs: number): Brake | undefined {
    const waits: readonly (readonly [Brake, number])[] = [
      ['account-quota', this.#account.waitMs(nowMs)],
      ['snapshot-quota', this.#snapshot.waitMs(nowMs)],
      ['user-cap', this.caps.waitMs(nowMs)],
    ];
    const last = waits.reduce((a, b) => (b[1] > a[1] ? b : a));
    return last[1] > 0 ? last[0] : undefined;
  }

  /** Takes a token from each scope and the next attempt from the line. To be called only when {@link waitMs} is 0. */
  take(nowMs: number): { waiter: Waiter; account: Send; snapshot: Send } | undefined {
    const waiter = this.#retries.shift() ?? this.#fresh.shift();
    if (waiter === undefined) return undefined;
    this.caps.take(waiter.bytes);
    return { waiter, account: this.#account.take(nowMs), snapshot: this.#snapshot.take(nowMs) };
  }

  /** What keeps a job whose line is empty. */
  idleBrake(): Brake {
    const asleep = this.options.retriesAsleep();
    const isFull = this.inFlight + asleep >= this.#memoryBlocks;
    if (asleep > 0 && (isFull || this.inFlight === 0)) return 'retry-wait';
    return isFull ? 'memory' : 'source';
  }

  #queueOf({ isRetry }: Waiter): Waiter[] {
    return isRetry ? this.#retries : this.#fresh;
  }
}
