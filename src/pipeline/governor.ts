import { AdaptiveWindow } from './adaptive-window.ts';
import { Limiter, type Brake } from './limiter.ts';
import { OnlineQuantile } from './online-quantile.ts';
import { QuotaScope, type Send } from './quota-scope.ts';
import { RetryBudget } from './retry-budget.ts';
import { WaitingLine, type LineOptions } from './waiting-line.ts';
import type { WindowState } from './window-watch.ts';
import type { Outcome, Window, WindowAttempt } from './window.ts';

const SETTLE_MS_MIN = 50;
const SETTLE_MS_MAX = 1000;

/** An attempt that was let through; `end` must be called once. */
export interface Ticket {
  /** To be told what the transport knows of the attempt; its end goes through `end`. */
  readonly attempt: Omit<WindowAttempt, 'end'>;
  end(outcome: Outcome, nowMs: number): void;
}

/** What a governor begins with. */
export interface GovernorOptions {
  /** Requests a second that the account, and each snapshot, is known to allow; Infinity where nothing is known. */
  readonly accountPerSecond: number;
  readonly snapshotPerSecond: number;
  /** Whether the processor is busy, for the report. */
  readonly isCpuBusy?: () => boolean;
  readonly window?: Window;
  readonly nowMs: number;
}

interface Snapshot {
  readonly scope: QuotaScope;
  lines: number;
}

/**
 * Lets attempts start, for every job of the process that shares an endpoint, an account and a direction: as many as
 * the window takes, as fast as each quota and cap allows, the jobs in turn. Pure: time is a parameter, and whoever
 * drives it calls {@link pump} after each change.
 */
export class Governor {
  readonly #window: Window;
  readonly #account: QuotaScope;
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #options: GovernorOptions;
  readonly #lines: WaitingLine[] = [];
  readonly #budget = new RetryBudget();
  readonly #medianMs = new OnlineQuantile(0.5);
  /** Whether the window is what brakes, cpu or not: what the window's growth goes by. */
  readonly #control: Limiter;
  #turn = 0;
  #inFlight = 0;

  constructor(options: GovernorOptions) {
    const { accountPerSecond, nowMs } = options;
    this.#options = options;
    this.#account = new QuotaScope({ ratePerSecond: accountPerSecond, nowMs });
    this.#control = new Limiter(nowMs);
    this.#window =
      options.window ??
      new AdaptiveWindow({
        max: () => this.#memoryLimit,
        isLimiting: () => this.#control.brake === 'window',
        limitingMs: (atMs) => this.#control.spentMs('window', atMs),
      });
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Jobs that have joined. */
  get lineCount(): number {
    return this.#lines.length;
  }

  /** What a job is to know of the window and of the quotas learned. */
  stateOf(line: WaitingLine, nowMs: number): WindowState {
    const snapshot = this.#snapshots.get(line.options.snapshotId)?.scope;
    return {
      limit: this.#limit,
      jobs: this.#lines.length,
      inFlight: line.inFlight,
      limitedBy: line.limiter.lately(nowMs),
      ...known('latencyMs', this.#medianMs.value),
      ...known('snapshotPerSecond', snapshot?.ratePerSecond),
      ...known('accountPerSecond', this.#account.ratePerSecond),
    };
  }

  /** Lets a job join. */
  join(options: LineOptions, nowMs: number): WaitingLine {
    const { snapshotId } = options;
    let snapshot = this.#snapshots.get(snapshotId);
    if (snapshot === undefined) {
      const ratePerSecond = this.#options.snapshotPerSecond;
      snapshot = { scope: new QuotaScope({ ratePerSecond, nowMs }), lines: 0 };
      this.#snapshots.set(snapshotId, snapshot);
    }
    snapshot.lines += 1;
    const scopes = { account: this.#account, snapshot: snapshot.scope };
    const line = new WaitingLine(options, scopes, nowMs);
    this.#lines.push(line);
    return line;
  }

  /** Takes a job out. */
  leave(line: WaitingLine): void {
    const position = this.#lines.indexOf(line);
    if (position < 0) return;
    this.#lines.splice(position, 1);
    const snapshot = this.#snapshots.get(line.options.snapshotId);
    if (snapshot === undefined) return;
    snapshot.lines -= 1;
    if (snapshot.lines === 0) this.#snapshots.delete(line.options.snapshotId);
  }

  /**
   * Starts what may start. Returns the milliseconds after which a token may let more through, or undefined when only
   * an arrival or an end can.
   */
  pump(nowMs: number): number | undefined {
    let waitMs: number | undefined;
    while (waitMs === undefined && this.#inFlight < this.#limit) {
      const next = this.#nextLine(nowMs);
      if (next === undefined) break;
      if (next.waitMs === 0) this.#admitFrom(next.line, nowMs);
      else waitMs = next.waitMs;
    }
    this.#noteBrakes(nowMs);
    return waitMs;
  }

  get #memoryLimit(): number {
    const blocks = this.#lines.reduce((sum, { memoryBlocks }) => sum + memoryBlocks, 0);
    return Math.max(1, blocks);
  }

  get #limit(): number {
    return Math.min(this.#window.limit, this.#budget.limit);
  }

  /** The next line in turn that has tokens; if none has, the one that gets them first. */
  #nextLine(nowMs: number): { line: WaitingLine; waitMs: number } | undefined {
    let first: { line: WaitingLine; waitMs: number } | undefined;
    for (let step = 0; step < this.#lines.length; step += 1) {
      const position = (this.#turn + step) % this.#lines.length;
      const line = this.#lines[position];
      if (line === undefined || line.length === 0) continue;
      const waitMs = line.waitMs(nowMs);
      if (waitMs === 0) {
        this.#turn = position + 1;
        return { line, waitMs };
      }
      if (first === undefined || waitMs < first.waitMs) first = { line, waitMs };
    }
    return first;
  }

  #admitFrom(line: WaitingLine, nowMs: number): void {
    const taken = line.take(nowMs);
    if (taken === undefined) return;
    this.#inFlight += 1;
    line.inFlight += 1;
    const attempt = this.#window.start(nowMs);
    const end = (outcome: Outcome, atMs: number): void => {
      this.#inFlight -= 1;
      line.inFlight -= 1;
      attempt.end(outcome, atMs);
      this.#budget.ended(outcome);
      if (outcome === 'ok') this.#medianMs.add(Math.max(0.001, atMs - nowMs));
      this.#learn(outcome, line, taken, atMs);
    };
    taken.waiter.admit({ attempt, end });
  }

  /** A throttle never touches the window: a quota refuses without latency, a path delays without refusing. */
  #learn(
    outcome: Outcome,
    { options: { snapshotId } }: WaitingLine,
    sends: { readonly account: Send; readonly snapshot: Send },
    nowMs: number,
  ): void {
    const medianMs = this.#medianMs.value ?? SETTLE_MS_MAX;
    const settleMs = Math.min(SETTLE_MS_MAX, Math.max(SETTLE_MS_MIN, medianMs));
    if (outcome === 'throttled-account') this.#account.throttled(sends.account, settleMs, nowMs);
    if (outcome === 'throttled-snapshot') {
      this.#snapshots.get(snapshotId)?.scope.throttled(sends.snapshot, settleMs, nowMs);
    }
  }

  #noteBrakes(nowMs: number): void {
    const isCpuBusy = this.#options.isCpuBusy?.() === true;
    let isWindow = false;
    for (const line of this.#lines) {
      const brake = line.length === 0 ? line.idleBrake() : this.#brakeOf(line, nowMs);
      if (brake === 'window') isWindow = true;
      const isWaiting = brake === 'window' || brake === 'source';
      line.limiter.enter(isWaiting && isCpuBusy ? 'cpu' : brake, nowMs);
    }
    this.#control.enter(isWindow ? 'window' : 'source', nowMs);
  }

  /** A full window brakes, whatever tokens there are: while a quota binds, the window has room. */
  #brakeOf(line: WaitingLine, nowMs: number): Brake {
    const window = this.#window.limit;
    if (this.#inFlight < this.#limit) {
      return line.missing(nowMs) ?? 'window';
    }
    if (this.#budget.limit < window) return 'retry-wait';
    return window >= Math.floor(this.#memoryLimit) ? 'memory' : 'window';
  }
}

function known(name: keyof WindowState, value = Infinity): Partial<WindowState> {
  return Number.isFinite(value) ? { [name]: value } : {};
}
