import { abortError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import { listChangedSince, type ChangedSince } from './changed-since.ts';
import { connect, type Connection } from './connection.ts';
import { BlockPool } from './engine/block-pool.ts';
import type { Engine } from './engine/engine.ts';
import { loadEngine } from './engine/load-engine.ts';
import { limitsOf } from './limits.ts';
import type { RestoreOptions, RestoreResult } from './options.ts';
import { validateRestoreOptions } from './options-validation.ts';
import { DownloadPipeline } from './pipeline/download-pipeline.ts';
import { ProgressThrottle } from './pipeline/progress.ts';
import { RestoreJob } from './restore-job.ts';
import { RestoreManifest } from './restore-manifest.ts';
import { planTarget } from './target/open-target.ts';
import type { Target, TargetPlan } from './target/target.ts';
import type { BlockPage } from './transport/transport.ts';

/**
 * Writes the volume of a snapshot to a file, a block device or a stream, every block checked against its digest.
 * Nothing is created or changed before the snapshot was found readable. A file that the restore created is removed when
 * it fails, unless a manifest says how to go on; the error is then `resumable`.
 * @throws TypeError or RangeError for a bad option, {@link TargetError} for the target, {@link ManifestError} for the
 * manifest, {@link ServiceError}, TransportError or IntegrityError for the way here, AbortError when the signal aborts.
 */
export async function restoreSnapshot(options: RestoreOptions): Promise<RestoreResult> {
  validateRestoreOptions(options);
  const { client, signal, on = {}, force = false, targetIsZero = false } = options;
  if (signal?.aborted === true) throw abortError(signal);
  const engine = loadEngine({ engine: options.engine ?? 'auto' });
  const manifest = await findManifest(options, engine);
  const keeps = manifest?.keeps;
  const plan = await planTarget(options.target, { engine, force, targetIsZero, keeps });
  const limits = limitsOf(options);
  const connection = connect({ client, transport: options.transport, limits, engine, on });
  const job = new RestoreJob(connection, limits);
  try {
    on.start?.(job);
    return await restore({ engine, plan, manifest, connection, job }, options);
  } finally {
    await connection.transport.close();
  }
}

/** What a restore works with. */
interface RestoreParts {
  readonly engine: Engine;
  readonly plan: TargetPlan;
  readonly manifest: RestoreManifest | undefined;
  readonly connection: Connection;
  readonly job: RestoreJob;
}

function findManifest(
  { manifest: path, snapshotId, target, base, force = false }: RestoreOptions,
  engine: Engine,
): Promise<RestoreManifest | undefined> {
  if (path === undefined || typeof target !== 'string') return Promise.resolve(undefined);
  return RestoreManifest.find({ path, snapshotId, target, basePath: base, force, engine });
}

async function restore(parts: RestoreParts, options: RestoreOptions): Promise<RestoreResult> {
  const { plan, manifest, connection, job } = parts;
  const { snapshotId, signal, keepManifest = false } = options;
  const firstPage = await connection.transport.listSnapshotBlocks({ snapshotId }, { signal });
  const { volumeSizeGiB } = firstPage;
  const bytesTotal = blockOffset(volumeBlockCount(volumeSizeGiB));
  await manifest?.begin(volumeSizeGiB);
  let target: Target | undefined;
  try {
    const changed = await changesOf(parts, snapshotId, firstPage);
    target = await plan.open(bytesTotal);
    await manifest?.started(target, { sizeBytes: bytesTotal, changed });
    const counts = await bring({ target, firstPage, bytesTotal }, parts, options);
    await manifest?.flush();
    await target.finish(signal);
    await manifest?.finish({ isKept: keepManifest });
    return {
      snapshotId,
      volumeSizeGiB,
      bytesWritten: bytesTotal,
      ...counts,
      retries: connection.retries,
      elapsedMs: job.elapsedMs,
    };
  } catch (error) {
    await undo(error, target, manifest);
    throw error;
  }
}

/** What has changed since the snapshot that the target holds, if it holds another. */
async function changesOf(
  { manifest, connection }: RestoreParts,
  secondSnapshotId: string,
  { volumeSizeGiB }: BlockPage,
): Promise<ChangedSince | undefined> {
  const firstSnapshotId = manifest?.baseSnapshotId;
  if (firstSnapshotId === undefined) return undefined;
  const { transport } = connection;
  const blockCount = volumeBlockCount(volumeSizeGiB);
  return listChangedSince({ transport, firstSnapshotId, secondSnapshotId, blockCount });
}

/** Brings all blocks to the target. */
async function bring(
  to: { readonly target: Target; readonly firstPage: BlockPage; readonly bytesTotal: number },
  { engine, manifest, connection, job }: RestoreParts,
  { snapshotId, signal, on = {} }: RestoreOptions,
): Promise<Pick<RestoreResult, 'blocksRead' | 'absentBlocks' | 'unchangedBlocks'>> {
  const { target, firstPage, bytesTotal } = to;
  const { transport, clock } = connection;
  const progress = new ProgressThrottle(
    () => on.progress?.(job.progress),
    () => clock.now(),
  );
  const { maxInFlightBytes } = job.limits;
  const pool = poolFor(target, { maxInFlightBytes, engine });
  const pipeline = new DownloadPipeline({
    transport,
    target,
    records: manifest,
    snapshotId,
    firstPage,
    maxInFlightBytes,
    pool,
    signal,
    onChange: () => {
      progress.changed();
      connection.lookAtWindow();
    },
    onTail: () => connection.enterTail(),
  });
  // What cannot be recorded any more need not be written either.
  if (manifest !== undefined) manifest.onFailure = (error) => pipeline.fail(error);
  job.begin({ pipeline, bytesTotal });
  await pipeline.run().finally(() => pool?.retire());
  progress.flush();
  const { blocksRead, absentBlocks, unchangedBlocks } = pipeline.counts;
  return { blocksRead, absentBlocks, unchangedBlocks };
}

/** Memory that is written from without a copy. A stream gets none: who reads it may keep what was handed on. */
function poolFor(
  { isInOrder }: Target,
  options: { readonly maxInFlightBytes: number; readonly engine: Engine },
): BlockPool | undefined {
  if (isInOrder) return undefined;
  const { maxInFlightBytes: maxBytes, engine } = options;
  return new BlockPool({ maxBytes, align: (memory) => engine.alignSlots(memory) });
}

/** Closes everything after a failure: what can be gone on with is kept, the rest removed. */
async function undo(
  error: unknown,
  target: Target | undefined,
  manifest: RestoreManifest | undefined,
): Promise<void> {
  // What was written counts, whatever has failed; if it cannot be recorded, it is brought again.
  await manifest?.flush().catch(() => undefined);
  const isKept = (await manifest?.stop().catch(() => false)) ?? false;
  await target?.abort(error as Error, { isKept });
  if (isKept && typeof error === 'object' && error !== null) {
    Object.assign(error, { resumable: true });
  }
}
