import { SnapshotError } from './base/errors.ts';
import type { Connection } from './connection.ts';
import { limitedCall } from './limited-call.ts';
import { isEndOfSnapshot, tellFate } from './snapshot-fate.ts';
import type { UploadManifest } from './upload-manifest.ts';

/** Failures after which there is no snapshot to go on with. */
const FINAL_CODES: ReadonlySet<string | undefined> = new Set([
  'ERR_EBS_DIFFERENT',
  'ERR_EBS_SNAPSHOT_DELETED',
  'ERR_EBS_SNAPSHOT_EXPIRED',
  'ERR_EBS_SNAPSHOT_FAILED',
  'ERR_EBS_SNAPSHOT_SEALED',
  'ERR_EBS_OMIT_REFUSED',
]);

/** Failures that prove an accepted snapshot to be wrong. */
const WRONG_CODES: ReadonlySet<string | undefined> = new Set([
  'ERR_EBS_DIFFERENT',
  'ERR_EBS_SNAPSHOT_FAILED',
]);

/** What an upload has come to, when nothing of it is under way any more. */
export interface EndedUpload {
  readonly connection: Connection;
  /** Undefined when there is none, or it could not be opened. */
  readonly manifest: UploadManifest | undefined;
  /** Undefined when StartSnapshot was not answered. */
  readonly snapshotId: string | undefined;
  /** Whether CompleteSnapshot was accepted. */
  readonly isAccepted: boolean;
  readonly onFailure: 'keep' | 'delete';
}

/**
 * Puts an upload away: what can be learned of its snapshot is learned, what is not wanted is deleted, the manifest is left
 * as the next run needs it, and sockets are closed.
 * @param failure - null when the upload is done.
 * @returns the failure as it is to be told: what became of the snapshot, and whether the upload can go on.
 */
export async function endUpload(failure: Error | null, upload: EndedUpload): Promise<Error | null> {
  const { connection, snapshotId } = upload;
  const { transport } = connection;
  const told = failure === null ? null : await explain(failure, upload);
  if (told instanceof SnapshotError) told.snapshotId ??= snapshotId;
  if (told !== null && snapshotId !== undefined && mayDelete(told, upload)) {
    // The failure that led here is the one to report; it names the snapshot that may be left behind.
    await limitedCall(connection.clock, (signal) =>
      transport.deleteSnapshot({ snapshotId }, { signal }),
    ).catch(() => undefined);
  }
  await closeManifest(told, upload);
  await transport.close();
  return told;
}

/** Looks what became of a snapshot that can take nothing more; only who would go on with it needs to know. */
async function explain(
  failure: Error,
  { connection, manifest, snapshotId }: EndedUpload,
): Promise<Error> {
  const { transport } = connection;
  if (manifest === undefined || snapshotId === undefined) return failure;
  if (!isEndOfSnapshot(failure)) return failure;
  const describe = (): ReturnType<typeof transport.describeSnapshot> =>
    limitedCall(connection.clock, (signal) =>
      transport.describeSnapshot({ snapshotId }, { signal }),
    );
  return tellFate(failure, { snapshotId, describe });
}

/** An accepted snapshot may well be good, whatever stopped the waiting; one that the service failed is not. */
function mayDelete(failure: Error, { isAccepted, onFailure }: EndedUpload): boolean {
  if (onFailure !== 'delete') return false;
  const { code } = failure as { code?: string };
  return !isAccepted || WRONG_CODES.has(code);
}

/** Leaves the manifest as the next run needs it, and says in the failure whether there can be one. */
async function closeManifest(failure: Error | null, { manifest }: EndedUpload): Promise<void> {
  if (manifest === undefined) return;
  const { code } = (failure ?? {}) as { code?: string };
  const isOver = FINAL_CODES.has(code);
  const isOurs = failure instanceof SnapshotError || failure?.name === 'AbortError';
  if (isOurs && !isOver && manifest.isResumable) Object.assign(failure, { resumable: true });
  try {
    if (code === 'ERR_EBS_SNAPSHOT_FAILED') await manifest.advance('failed');
    await manifest.close();
  } catch {
    // What could not be written is sent again; a failure before this one is the one to tell, and a result stays true.
  }
}
