import { blockOffset } from './base/units.ts';
import type { Connection } from './connection.ts';
import type { Progress } from './events.ts';
import type { ReadCounts } from './pipeline/download-pipeline.ts';

/** How far a job that reads has come. */
export interface ReadStanding {
  readonly counts: ReadCounts & { readonly unchangedBlocks?: number };
  /** Bytes of the volume dealt with. */
  readonly bytesDone: number;
  /** Undefined until the size of the volume is known. */
  readonly bytesTotal: number | undefined;
  readonly elapsedMs: number;
}

/** Puts together the progress of a job that reads. */
export function readProgress(
  { counts, bytesDone, bytesTotal, elapsedMs }: ReadStanding,
  { window, retries }: Pick<Connection, 'window' | 'retries'>,
): Progress {
  const { blocksRead, zeroBlocks, absentBlocks, unchangedBlocks = 0 } = counts;
  return {
    bytesDone,
    ...(bytesTotal === undefined ? {} : { bytesTotal }),
    bytesTransferred: blockOffset(blocksRead),
    blocksTransferred: blocksRead,
    zeroBlocks: zeroBlocks + absentBlocks,
    omittedBlocks: absentBlocks,
    unchangedBlocks,
    inFlight: window?.inFlight ?? 0,
    ...(window === undefined ? {} : { limitedBy: window.limitedBy }),
    retries,
    elapsedMs,
  };
}
