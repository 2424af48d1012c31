import type { Outcome } from '../../src/pipeline/window.ts';

/** Width of the bins in which a run is kept. */
const BIN_MS = 100;

/** What happened in a run, in bins of time. */
export class RunRecord {
  /** Snapshot ids, one for each writer. */
  readonly writers: string[] = [];
  readonly #acknowledged = new Map<string, number[]>();
  readonly #sent: number[] = [];
  readonly #throttled: number[] = [];
  /** Requests in flight at most in each bin. */
  readonly #inFlight: number[] = [];
  /** Attempts that ended each way. */
  readonly outcomes = new Map<Outcome, number>();

  acknowledged(snapshotId: string, nowMs: number): void {
    let bins = this.#acknowledged.get(snapshotId);
    if (bins === undefined) this.#acknowledged.set(snapshotId, (bins = []));
    add(bins, nowMs);
  }

  sent(nowMs: number, inFlight: number): void {
    add(this.#sent, nowMs);
    const bin = Math.floor(nowMs / BIN_MS);
    this.#inFlight[bin] = Math.max(this.#inFlight[bin] ?? 0, inFlight);
  }

  ended(outcome: Outcome, nowMs: number): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (outcome.startsWith('throttled')) add(this.#throttled, nowMs);
  }

  /** Blocks acknowledged in [fromMs, toMs), of one writer or of all. */
  acknowledgedIn(span: Span, snapshotId?: string): number {
    const writers = snapshotId === undefined ? this.writers : [snapshotId];
    return writers.reduce((all, id) => all + sum(this.#acknowledged.get(id) ?? [], span), 0);
  }

  sentIn(span: Span): number {
    return sum(this.#sent, span);
  }

  throttledIn(span: Span): number {
    return sum(this.#throttled, span);
  }

  inFlightMax({ fromMs, toMs }: Span): number {
    const bins = this.#inFlight.slice(fromMs / BIN_MS, toMs / BIN_MS);
    // Bins in which nothing was sent are holes.
    return bins.reduce((a, b) => Math.max(a, b), 0);
  }
}

/** A part of a run, its bounds multiples of the bin. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

function add(bins: number[], nowMs: number): void {
  const bin = Math.floor(nowMs / BIN_MS);
  bins[bin] = (bins[bin] ?? 0) + 1;
}

function sum(bins: readonly number[], { fromMs, toMs }: Span): number {
  let total = 0;
  for (let bin = fromMs / BIN_MS; bin < toMs / BIN_MS; bin += 1) total += bins[bin] ?? 0;
  return total;
}
