import { toBase64 } from './base/digest.ts';
import { CompletionError, SnapshotError } from './base/errors.ts';
import { BLOCK_SIZE } from './base/constants.ts';
import { connect, type Connection } from './connection.ts';
import { loadEngine } from './engine/load-engine.ts';
import { limitedCall } from './limited-call.ts';
import { limitsOf } from './limits.ts';
import type { CompleteOptions, CompleteResult } from './options.ts';
import { validateCompleteOptions } from './options-validation.ts';
import { completeSnapshot as completeAndWait } from './pipeline/completion.ts';
import { failureOf, isEndOfSnapshot, tellFate } from './snapshot-fate.ts';
import { SnapshotParts } from './snapshot-parts.ts';
import type { CompleteSnapshotRequest } from './transport/transport.ts';

/**
 * Completes a snapshot that several processes have written, each a range of it with a manifest, and resolves when it can be
 * read. The manifests say what the service has: before any call they must cover the volume, must not contradict each other,
 * and must belong together. Count and checksum come from one pass over them; memory does not grow with the volume.
 * Interrupted, it is called again with the same manifests.
 * @throws TypeError or RangeError for wrong options. ManifestError: ERR_EBS_MANIFEST_LOCKED when a part is still being
 * written, ERR_EBS_MANIFEST_MISMATCH when one is of something else, ERR_EBS_MANIFEST_DOUBTFUL and ERR_EBS_PARTS_INCOMPLETE when
 * a part must be run (again) first, ERR_EBS_PARTS_CONFLICT. Then what the end of an upload throws: CompletionError,
 * ServiceError, TransportError, SnapshotError with ERR_EBS_SNAPSHOT_SEALED, _DELETED or _EXPIRED; AbortError.
 */
export async function completeSnapshot(options: CompleteOptions): Promise<CompleteResult> {
  validateCompleteOptions(options);
  const { snapshotId, manifests, client, transport } = options;
  await using parts = await SnapshotParts.open(manifests, snapshotId);
  const request = { snapshotId, ...(await parts.summary()) };
  const engine = loadEngine({ engine: 'auto' });
  const connection = connect({ client, transport, limits: limitsOf({}), engine, on: {} });
  try {
    return await complete(request, { parts, connection }, options);
  } finally {
    await connection.transport.close();
  }
}

interface Completing {
  readonly parts: SnapshotParts;
  readonly connection: Connection;
}

async function complete(
  request: CompleteSnapshotRequest,
  { parts, connection }: Completing,
  { waitUntil = 'completed', signal }: CompleteOptions,
): Promise<CompleteResult> {
  const { snapshotId, changedBlocksCount, aggregateDigest } = request;
  const { transport, clock } = connection;
  const startedAtMs = clock.now();
  const wasAsked = parts.wasCompleting;
  transport.expectVisibilityLag(Date.now() - parts.startTimeMs);
  try {
    const onStatus = (status: string): void => {
      // The first answer is always "pending": with "completed" it was somebody else's count that was judged.
      if (status !== 'completed' || wasAsked || connection.retries > 0) return;
      const message = `${snapshotId} was completed by another`;
      throw new SnapshotError('ERR_EBS_SNAPSHOT_SEALED', message, { snapshotId });
    };
    const onState = parts.advance.bind(parts);
    await completeAndWait(request, { transport, clock, signal, waitUntil, onStatus, onState });
  } catch (error) {
    throw await explain(error as Error, { parts, connection });
  }
  if (waitUntil === 'completed') await checkSize(request, { parts, connection });
  return {
    snapshotId,
    status: waitUntil === 'completed' ? 'completed' : 'pending',
    volumeSizeGiB: parts.volumeSizeGiB,
    changedBlocksCount,
    checksum: toBase64(aggregateDigest),
    partsCount: parts.count,
    retries: connection.retries,
    elapsedMs: clock.now() - startedAtMs,
  };
}

/** Says what became of a snapshot that cannot be completed, and whether it is worth trying again. */
async function explain(failure: Error, { parts, connection }: Completing): Promise<Error> {
  const { transport, clock } = connection;
  const { snapshotId } = parts;
  const describe = (): ReturnType<typeof transport.describeSnapshot> =>
    limitedCall(clock, (signal) => transport.describeSnapshot({ snapshotId }, { signal }));
  let told = failure;
  if (isEndOfSnapshot(failure)) {
    told = await tellFate(failure, { snapshotId, describe });
  } else if (failure instanceof CompletionError && failure.code === 'ERR_EBS_SNAPSHOT_FAILED') {
    // CompleteSnapshot says no more than that; EC2 knows of what, and whether before this call.
    const found = await describe().catch(() => undefined);
    if (found?.status === 'error') told = failureOf(found, { snapshotId, cause: failure });
  }
  const { code } = told as { code?: string };
  if (code === 'ERR_EBS_SNAPSHOT_FAILED') await parts.advance('failed');
  const isOver = code?.startsWith('ERR_EBS_SNAPSHOT_') === true;
  const isOurs = told instanceof SnapshotError || told.name === 'AbortError';
  return isOurs && !isOver ? Object.assign(told, { resumable: true }) : told;
}

/**
 * Looks whether blocks that were left out as zero can show a parent's data: nothing tells which parent a snapshot was started
 * with, but with one it is larger than what was sent. Without the right to ask EC2 it stays the caller's word.
 * @throws {CompletionError} ERR_EBS_SNAPSHOT_FAILED.
 */
async function checkSize(
  { snapshotId, changedBlocksCount }: CompleteSnapshotRequest,
  { parts, connection }: Completing,
): Promise<void> {
  if (!parts.omitsZeroBlocks) return;
  const { transport, clock } = connection;
  const found = await limitedCall(clock, (signal) =>
    transport.describeSnapshot({ snapshotId }, { signal }),
  ).catch(() => undefined);
  const sentBytes = changedBlocksCount * BLOCK_SIZE;
  if (found?.fullSizeBytes === undefined || found.fullSizeBytes === sentBytes) return;
  const message = `${snapshotId} holds ${found.fullSizeBytes} bytes, of which ${sentBytes} were sent: it has a parent, whose data show where zero blocks were left out`;
  throw new CompletionError('ERR_EBS_SNAPSHOT_FAILED', message, { snapshotId });
}
