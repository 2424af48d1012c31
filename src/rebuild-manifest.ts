import { abortError, ServiceError, SnapshotError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import { connect, type Connection } from './connection.ts';
import { loadEngine } from './engine/load-engine.ts';
import { limitsOf } from './limits.ts';
import type { RebuildOptions, RebuildResult } from './options.ts';
import { validateRebuildOptions } from './options-validation.ts';
import { DownloadPipeline, type DownloadCounts } from './pipeline/download-pipeline.ts';
import { ProgressThrottle } from './pipeline/progress.ts';
import { RestoreJob } from './restore-job.ts';
import { SnapshotManifest } from './snapshot-manifest.ts';
import { NULL_TARGET } from './target/null-target.ts';
import type { BlockPage } from './transport/transport.ts';

/** A job, and what it talks to the service through. */
interface Rebuilding {
  readonly connection: Connection;
  readonly job: RestoreJob;
}

/**
 * Builds the manifest of a completed snapshot from what the service has, to serve as the base of the next upload when the
 * snapshot's own manifest is lost, or when another tool made the snapshot. The service tells the digest of a block only
 * along with the block, so every block of the snapshot is read once: {@link RebuildOptions.resume} goes on where an
 * earlier call stopped, whatever stopped it, and reads no block again whose digest is in the file.
 *
 * A failure that `resume` can go on from has `resumable` set. Nothing is made before the snapshot was found readable.
 * @throws TypeError or RangeError for a bad option, ManifestError for the file, ServiceError, TransportError or
 * IntegrityError for the way here, AbortError when the signal aborts.
 */
export async function rebuildManifest(options: RebuildOptions): Promise<RebuildResult> {
  validateRebuildOptions(options);
  const { client, signal, snapshotId, on = {} } = options;
  if (signal?.aborted === true) throw abortError(signal);
  const engine = loadEngine({ engine: options.engine ?? 'auto' });
  const limits = limitsOf(options);
  const connection = connect({ client, transport: options.transport, limits, engine, on });
  const job = new RestoreJob(connection, limits);
  try {
    on.start?.(job);
    const firstPage = await connection.transport.listSnapshotBlocks({ snapshotId }, { signal });
    const counts = await rebuild(firstPage, { connection, job }, options);
    return {
      snapshotId,
      volumeSizeGiB: firstPage.volumeSizeGiB,
      blocksRead: counts.blocksRead,
      absentBlocks: counts.absentBlocks,
      unchangedBlocks: counts.unchangedBlocks,
      retries: connection.retries,
      elapsedMs: job.elapsedMs,
    };
  } finally {
    await connection.transport.close();
  }
}

/** A restore to nowhere, of which the digests stay: reads what is missing into the manifest. */
async function rebuild(
  firstPage: BlockPage,
  { connection, job }: Rebuilding,
  { snapshotId, signal, manifest: path, resume = false, on = {} }: RebuildOptions,
): Promise<DownloadCounts> {
  const { volumeSizeGiB } = firstPage;
  const manifest = await SnapshotManifest.open({
    path,
    isResume: resume,
    snapshotId,
    volumeSizeGiB,
    onFailure: (error) => pipeline.fail(error),
  });
  const progress = new ProgressThrottle(
    () => on.progress?.(job.progress),
    () => connection.clock.now(),
  );
  const pipeline = new DownloadPipeline({
    transport: connection.transport,
    target: NULL_TARGET,
    records: manifest,
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
  job.begin({ pipeline, bytesTotal: blockOffset(volumeBlockCount(volumeSizeGiB)) });
  try {
    await pipeline.run();
    await manifest.finish();
    progress.flush();
    return pipeline.counts;
  } catch (error) {
    throw asResumable(error as Error);
  } finally {
    // What could not be written is read again.
    await manifest.close().catch(() => undefined);
  }
}

/** Of a snapshot that is gone, nothing more can be read. */
function asResumable(failure: Error): Error {
  const isOurs = failure instanceof SnapshotError || failure.name === 'AbortError';
  const isGone = failure instanceof ServiceError && failure.reason === 'SNAPSHOT_NOT_FOUND';
  return isOurs && !isGone ? Object.assign(failure, { resumable: true }) : failure;
}
