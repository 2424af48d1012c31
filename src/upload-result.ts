import { toBase64 } from './base/digest.ts';
import type { Progress } from './events.ts';
import type { SnapshotResult } from './options.ts';
import type { CompleteSnapshotRequest } from './transport/transport.ts';

/** What an upload has done, when all of it is done. */
export interface FinishedUpload {
  readonly volumeSizeGiB: number;
  readonly status: SnapshotResult['status'];
  readonly bytesRead: number;
  /** The last of it. */
  readonly progress: Progress;
}

/** Tells what an upload came to: `request` is what CompleteSnapshot was told, or will be of a part. */
export function uploadResult(
  { snapshotId, changedBlocksCount, aggregateDigest }: CompleteSnapshotRequest,
  { volumeSizeGiB, status, bytesRead, progress }: FinishedUpload,
): SnapshotResult {
  const { bytesTransferred, zeroBlocks, omittedBlocks, unchangedBlocks } = progress;
  return {
    snapshotId,
    status,
    volumeSizeGiB,
    changedBlocksCount,
    checksum: toBase64(aggregateDigest),
    bytesRead,
    bytesSent: bytesTransferred,
    zeroBlocks,
    omittedBlocks,
    unchangedBlocks,
    retries: progress.retries,
    elapsedMs: progress.elapsedMs,
  };
}
