import { abortError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import { connect, type Connection } from './connection.ts';
import { loadEngine } from './engine/load-engine.ts';
import { DEFAULT_IN_FLIGHT_BYTES, type RestoreOptions, type RestoreResult } from './options.ts';
import { validateRestoreOptions } from './options-validation.ts';
import { DownloadPipeline } from './pipeline/download-pipeline.ts';
import { ProgressThrottle } from './pipeline/progress.ts';
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
  const plan = await planTarget(options.target, { force, targetIsZero });
  const engine = loadEngine({ engine: options.engine ?? 'auto' });
  const connection = connect({ client, transport: options.transport, limits: options, engine, on });
  try {
    return await restore(plan, connection, options);
  } finally {
    await connection.transport.close();
  }
}

async function restore(
  plan: TargetPlan,
  connection: Connection,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { snapshotId, signal, on = {}, maxInFlightBytes = DEFAULT_IN_FLIGHT_BYTES } = options;
  const { transport, clock } = connection;
  const startedAtMs = clock.now();
  const firstPage = await transport.listSnapshotBlocks({ snapshotId }, { signal });
  const { volumeSizeGiB } = firstPage;
  const bytesTotal = blockOffset(volumeBlockCount(volumeSizeGiB));

  const target = await plan.open(bytesTotal);
  const pipeline: DownloadPipeline = new DownloadPipeline({
    transport,
    target,
    snapshotId,
    firstPage,
    maxInFlightBytes,
    signal,
    onChange: () => progress.changed(),
    onTail: () => connection.enterTail(),
  });
  const { counts } = pipeline;
  const progress = new ProgressThrottle(
    () =>
      on.progress?.({
        bytesDone: blockOffset(counts.blocksRead + counts.absentBlocks),
        bytesTotal,
        bytesTransferred: blockOffset(counts.blocksRead),
        blocksTransferred: counts.blocksRead,
        zeroBlocks: counts.zeroBlocks + counts.absentBlocks,
        omittedBlocks: counts.absentBlocks,
        inFlight: connection.inFlight,
        ...(connection.limitedBy === undefined ? {} : { limitedBy: connection.limitedBy }),
        retries: connection.retries,
        elapsedMs: clock.now() - startedAtMs,
      }),
    () => clock.now(),
  );
  await orAbort(target, async () => {
    await pipeline.run();
    progress.flush();
    await target.finish(signal);
  });
  return {
    snapshotId,
    volumeSizeGiB,
    bytesWritten: bytesTotal,
    blocksRead: counts.blocksRead,
    absentBlocks: counts.absentBlocks,
    retries: connection.retries,
    elapsedMs: clock.now() - startedAtMs,
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
