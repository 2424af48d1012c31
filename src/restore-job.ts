import { blockOffset } from './base/units.ts';
import type { Connection } from './connection.ts';
import type { Progress } from './events.ts';
import { jobState, type Job, type JobState } from './job.ts';
import { checkedLimits, type LimitsInForce } from './limits.ts';
import type { Limits } from './options.ts';
import type { DownloadPipeline } from './pipeline/download-pipeline.ts';
import { readProgress } from './read-progress.ts';

/** A restore under way. */
export class RestoreJob implements Job {
  readonly #connection: Connection;
  readonly #startedAtMs: number;
  #limits: LimitsInForce;
  #running: { readonly pipeline: DownloadPipeline; readonly bytesTotal: number } | undefined;

  constructor(connection: Connection, limits: LimitsInForce) {
    this.#connection = connection;
    this.#startedAtMs = connection.clock.now();
    this.#limits = limits;
  }

  get limits(): LimitsInForce {
    return this.#limits;
  }

  set limits(limits: Limits) {
    this.#limits = checkedLimits(limits);
    this.#running?.pipeline.setMaxInFlightBytes(this.#limits.maxInFlightBytes);
    this.#connection.setLimits(this.#limits);
  }

  get state(): JobState {
    return jobState(this.progress, this.#connection);
  }

  get elapsedMs(): number {
    return this.#connection.clock.now() - this.#startedAtMs;
  }

  get progress(): Progress {
    const { pipeline, bytesTotal } = this.#running ?? {};
    const none = { blocksRead: 0, zeroBlocks: 0, absentBlocks: 0, unchangedBlocks: 0 };
    const counts = pipeline?.counts ?? none;
    const { blocksRead, absentBlocks, unchangedBlocks } = counts;
    const bytesDone = blockOffset(blocksRead + absentBlocks + unchangedBlocks);
    const { elapsedMs } = this;
    return readProgress({ counts, bytesDone, bytesTotal, elapsedMs }, this.#connection);
  }

  /** Says that the size of the volume is known, and blocks are on their way. */
  begin(running: { readonly pipeline: DownloadPipeline; readonly bytesTotal: number }): void {
    this.#running = running;
  }
}
