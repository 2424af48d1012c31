import { BLOCK_SIZE } from './base/constants.ts';
import { blockCountCeil, blockOffset, blocksIn } from './base/units.ts';
import { connect, type Connection } from './connection.ts';
import { loadEngine } from './engine/load-engine.ts';
import type { Engine } from './engine/engine.ts';
import type { Listeners, Progress, RestoreEvents, StartEvents } from './events.ts';
import { jobState, type Job, type JobState } from './job.ts';
import { checkedLimits, limitsOf, type LimitsInForce } from './limits.ts';
import type { JobOptions, Limits } from './options.ts';
import { ProgressThrottle } from './pipeline/progress.ts';

/** What a job that reads snapshots from end to end takes. */
export type ScanOptions = JobOptions & { readonly on?: Listeners<StartEvents & RestoreEvents> };

/** A job under way that walks through a volume: to compare it, or to copy it. */
export class ScanJob implements Job {
  readonly engine: Engine;
  readonly connection: Connection;
  /** How far it has come, in blocks. */
  readonly counts = { blocksDone: 0, blocksRead: 0, zeroBlocks: 0, absentBlocks: 0 };
  /** Bytes of the volume, once they are known. */
  bytesTotal: number | undefined;
  readonly #startedAtMs: number;
  readonly #progress: ProgressThrottle;
  readonly #shares: number;
  #limits: LimitsInForce;

  /** @param shares - how many parts of the job share its memory. Default 1. */
  constructor(options: ScanOptions, shares = 1) {
    const { client, transport, on = {} } = options;
    this.#limits = limitsOf(options);
    this.#shares = shares;
    this.engine = loadEngine({ engine: options.engine ?? 'auto' });
    const limits = this.#limits;
    this.connection = connect({ client, transport, limits, engine: this.engine, on });
    this.#startedAtMs = this.connection.clock.now();
    this.#progress = new ProgressThrottle(
      () => on.progress?.(this.progress),
      () => this.connection.clock.now(),
    );
  }

  get limits(): LimitsInForce {
    return this.#limits;
  }

  set limits(limits: Limits) {
    this.#limits = checkedLimits(limits);
    this.connection.setLimits(this.#limits);
    this.onLimits();
  }

  /** Called when the limits have changed. */
  onLimits: () => void = () => undefined;

  get state(): JobState {
    return jobState(this.progress, this.connection);
  }

  get elapsedMs(): number {
    return this.connection.clock.now() - this.#startedAtMs;
  }

  /** Bytes of blocks that each part of the job may hold. */
  get bytesMax(): number {
    return Math.max(BLOCK_SIZE, Math.floor(this.#limits.maxInFlightBytes / this.#shares));
  }

  /** Blocks that each part of the job may hold. */
  get blocksMax(): number {
    return blocksIn(this.bytesMax);
  }

  get progress(): Progress {
    const { blocksDone, blocksRead, zeroBlocks, absentBlocks } = this.counts;
    const { window, retries } = this.connection;
    const { bytesTotal } = this;
    const bytesDone = blockOffset(blocksDone);
    return {
      bytesDone: Math.min(bytesDone, bytesTotal ?? bytesDone),
      ...(bytesTotal === undefined ? {} : { bytesTotal }),
      bytesTransferred: blockOffset(blocksRead),
      blocksTransferred: blocksRead,
      zeroBlocks,
      omittedBlocks: absentBlocks,
      unchangedBlocks: 0,
      inFlight: window?.inFlight ?? 0,
      ...(window === undefined ? {} : { limitedBy: window.limitedBy }),
      retries,
      elapsedMs: this.elapsedMs,
    };
  }

  /** Says that something has been done. */
  changed(): void {
    this.#progress.changed();
    this.connection.lookAtWindow();
  }

  /** Says that all is done. */
  finished(): void {
    this.counts.blocksDone = blockCountCeil(this.bytesTotal ?? 0);
    this.#progress.flush();
  }

  /** Closes what the job has opened. */
  close(): Promise<void> {
    return this.connection.transport.close();
  }
}
