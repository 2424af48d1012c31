import { randomUUID } from 'node:crypto';
import { ServiceError, SnapshotError } from './base/errors.ts';
import type { Connection } from './connection.ts';
import type { SnapshotWriterOptions } from './options.ts';
import type { StartSnapshotAnswer } from './transport/transport.ts';
import type { UploadManifest } from './upload-manifest.ts';

/** What starting an upload's snapshot needs. */
export interface StartOptions {
  readonly params: SnapshotWriterOptions['params'];
  /** Undefined when there is none; it knows of a snapshot that an earlier run has started. */
  readonly manifest: UploadManifest | undefined;
  readonly transport: Connection['transport'];
  readonly signal: AbortSignal;
}

/** Starts the snapshot, or finds the one that an earlier run has started. */
export async function startSnapshot(options: StartOptions): Promise<StartSnapshotAnswer> {
  const { params, manifest, transport, signal } = options;
  const known = manifest?.answer;
  if (known !== undefined) {
    transport.expectVisibilityLag(Date.now() - (known.StartTime?.getTime() ?? 0));
    return known;
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
