import { BLOCK_SIZE } from './base/constants.ts';
import type { Connection } from './connection.ts';
import type { Progress } from './events.ts';
import type { UploadCounts } from './pipeline/upload-pipeline.ts';

/** What an upload's progress is told from. */
export interface ProgressFacts {
  /** Undefined before the first block. */
  readonly counts: UploadCounts | undefined;
  /** Blocks read back; undefined before that has begun. */
  readonly blocksVerified: number | undefined;
  /** Undefined where the length of the source is not known. */
  readonly bytesTotal: number | undefined;
  readonly startedAtMs: number;
  readonly connection: Connection;
}

/** How far an upload has come, now. */
export function uploadProgress(facts: ProgressFacts): Progress {
  const { counts, blocksVerified, bytesTotal, startedAtMs, connection } = facts;
  const { blocksSent = 0, zeroBlocks = 0, omittedBlocks = 0, unchangedBlocks = 0 } = counts ?? {};
  const bytesDone = (blocksSent + omittedBlocks + unchangedBlocks) * BLOCK_SIZE;
  const { window } = connection;
  return {
    bytesDone: Math.min(bytesDone, bytesTotal ?? bytesDone),
    ...(bytesTotal === undefined ? {} : { bytesTotal }),
    bytesTransferred: blocksSent * BLOCK_SIZE,
    blocksTransferred: blocksSent,
    zeroBlocks,
    omittedBlocks,
    unchangedBlocks,
    ...(blocksVerified === undefined ? {} : { bytesVerified: blocksVerified * BLOCK_SIZE }),
    inFlight: window?.inFlight ?? 0,
    ...(window === undefined ? {} : { limitedBy: window.limitedBy }),
    retries: connection.retries,
    elapsedMs: connection.clock.now() - startedAtMs,
  };
}
