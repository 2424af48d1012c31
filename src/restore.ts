import { abortError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import { connect, type Connection } from './connection.ts';
import { loadEngine } from './engine/load-engine.ts';
import { limitsOf } from './limits.ts';
import type { RestoreOptions, RestoreResult } from './options.ts';
import { validateRestoreOptions } from './options-validation.ts';
import { DownloadPipeline } from './pipeline/download-pipeline.ts';
import { ProgressThrottle } from './pipeline/progress.ts';
import { RestoreJob } from './restore-job.ts';
import { planTarget } from './target/open-target.ts';
import type { Target, TargetPlan } from './target/target.ts';

/**
 * Writes the volume of a snapshot to a file, a block device or a stream, every block checked against its digest.
 * Nothing is created or changed before the snapshot was found readable; a file that the restore created is removed
 * when it fails.
 * @throws TypeError or RangeError for a bad option, {@link TargetError} for the target, {@link ServiceError},
 * TransportError or IntegrityError for the way here, AbortError when the signal aborts.
 */
export async function restoreSnapshot(options: RestoreOptions): Promise<RestoreResult> {
  validateRestoreOptions(options);
  const { client, signal, on = {}, force = false, targetIsZero = false } = options;
  if (signal?.aborted === true) throw abortError(signal);
  const engine = loadEngine({ engine: options.engine ?? 'auto' });
  const plan = await planTarget(options.target, { engine, force, targetIsZero });
  const limits = limitsOf(options);
  const connection = connect({ client, transport: options.transport, limits, engine, on });
  const job = new RestoreJob(connection, limits);
  try {
    on.start?.(job);
    return await restore(plan, { connection, job }, options);
  } finally {
    await connection.transport.close();
  }
}

async function restore(
  plan: TargetPlan,
  { connection, job }: { readonly connection: Connection; readonly job: RestoreJob },
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { snapshotId, signal, on = {} } = options;
  const { transport, clock } = connection;
  const firstPage = await transport.listSnapshotBlocks({ snapshotId }, { signal });
  const { volumeSizeGiB } = firstPage;
  const bytesTotal = blockOffset(volumeBlockCount(volumeSizeGiB));

  const target = await plan.open(bytesTotal);
  const progress = new ProgressThrottle(
    () => on.progress?.(job.progress),
    () => clock.now(),
  );
  const pipeline = new DownloadPipeline({
    transport,
    target,
    snapshotId,
    firstPage,
    maxInFlightBytes: job.limits.maxInFlightBytes,
    signal,
    onChange: () => {
      progress.changed();
      connection.lookAtWindow();
    },
    onTail: () => connection.enterTail(),
  });
  job.begin({ pipeline, bytesTotal });
  await orAbort(target, async () => {
    await pipeline.run();
    progress.flush();
    await target.finish(signal);
  });
  return {
    snapshotId,
    volumeSizeGiB,
    bytesWritten: bytesTotal,
    blocksRead: pipeline.counts.blocksRead,
    absentBlocks: pipeline.counts.absentBlocks,
    retries: connection.retries,
    elapsedMs: job.elapsedMs,
  };
}

/** Does the work; closes the target and undoes its creation when that fails. */
async function orAbort(target: Target, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await target.abort(error as Error);
    throw error;
  }
}
