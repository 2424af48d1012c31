import { randomUUID } from 'node:crypto';
import { adoptSnapshot } from './adopt-snapshot.ts';
import { ServiceError, SnapshotError } from './base/errors.ts';
import type { Connection } from './connection.ts';
import type { SnapshotWriterOptions } from './options.ts';
import type { StartSnapshotAnswer } from './transport/transport.ts';
import type { UploadManifest } from './upload-manifest.ts';

/** What starting an upload's snapshot needs. */
export interface UploadStart {
  readonly options: SnapshotWriterOptions;
  /** Undefined when there is none; it knows of a snapshot that an earlier run has started. */
  readonly manifest: UploadManifest | undefined;
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/** Starts the snapshot, or finds the one that an earlier run, or of a part another, has started. */
export async function startUpload(start: UploadStart): Promise<StartSnapshotAnswer> {
  const { options, manifest, connection, signal } = start;
  const { params, snapshotId, zeroBlocks = 'write' } = options;
  const { transport } = connection;
  const known = manifest?.answer;
  if (known !== undefined) {
    transport.expectVisibilityLag(Date.now() - (known.StartTime?.getTime() ?? 0));
    return known;
  }
  if (snapshotId !== undefined) {
    const volumeSizeGiB = params.VolumeSize ?? 0;
    return adoptSnapshot({ snapshotId, volumeSizeGiB, zeroBlocks, connection, signal });
  }
  // Without a token a lost answer would leave a pending snapshot behind for each attempt.
  const request = manifest?.startRequest ?? {
    ...params,
    ClientToken: params.ClientToken ?? randomUUID(),
  };
  try {
    const snapshot = await transport.startSnapshot(request, { signal });
    transport.expectVisibilityLag();
    return snapshot;
  } catch (error) {
    if (error instanceof ServiceError && !error.retryable) manifest?.startRefused();
    throw error;
  }
}

/**
 * Stops an upload that would leave zero blocks out of an encrypted snapshot. The account may encrypt by default, which
 * only the answer tells; absent blocks would then read as noise.
 * @throws {SnapshotError} ERR_EBS_OMIT_REFUSED.
 */
export function refuseOmissionIfEncrypted(
  { KmsKeyArn, SnapshotId }: StartSnapshotAnswer,
  { zeroBlocks }: Pick<SnapshotWriterOptions, 'zeroBlocks'>,
): void {
  if (zeroBlocks !== 'omit' || !KmsKeyArn) return;
  throw new SnapshotError(
    'ERR_EBS_OMIT_REFUSED',
    `${SnapshotId} is encrypted by the account's default, so zero blocks cannot be omitted`,
    { snapshotId: SnapshotId },
  );
}
