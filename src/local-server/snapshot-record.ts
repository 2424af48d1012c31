/** A tag of a snapshot. */
export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** What CompleteSnapshot declared, to be judged after its answer. */
export interface Seal {
  readonly atMs: number;
  readonly changedBlocksCount: number;
  /** Base64 of the LINEAR aggregate, or null when the client sent none. */
  readonly checksum: string | null;
}

/** What the declared figures were found to be. */
export interface Verdict {
  readonly outcome: 'good' | 'count-mismatch' | 'checksum-mismatch';
  /** Distinct blocks put to this snapshot. */
  readonly ownBlockCount: number;
  /** Own and inherited blocks. */
  readonly totalBlockCount: number;
}

/** Everything known of a snapshot beside its blocks, as it is stored. Times are epoch milliseconds. */
export interface SnapshotRecord {
  readonly snapshotId: string;
  readonly region: string;
  readonly ownerId: string;
  readonly volumeSizeGiB: number;
  readonly description: string | null;
  readonly parentSnapshotId: string | null;
  /** The id of the oldest ancestor: two snapshots are related when it is the same. */
  readonly lineage: string;
  readonly tags: readonly Tag[];
  readonly encrypted: boolean;
  readonly kmsKeyArn: string | null;
  readonly startTimeMs: number;
  readonly timeoutMinutes: number;
  /** The last accepted write as far as it was stored; a running server knows better. */
  readonly lastActivityMs: number;
  readonly seal: Seal | null;
  readonly verdict: Verdict | null;
  /** Deleted for everyone, kept because a descendant still reads its blocks. */
  readonly isDeleted: boolean;
}

/** Delays between an event and what clients see of it, in milliseconds of the service's clock. */
export interface Lags {
  /** From StartSnapshot to the first Put that does not answer 404. */
  readonly visibilityMs: number;
  /** From CompleteSnapshot to `completed`. */
  readonly completionMs: number;
  /** From `completed` to lists, reads and use as a parent. */
  readonly readabilityMs: number;
  /** From CompleteSnapshot to the error that a wrong checksum causes. */
  readonly checksumMismatchMs: number;
  /** From CompleteSnapshot to the error that a wrong count causes. */
  readonly countMismatchMs: number;
  /** From the end of Timeout to the error that inactivity causes. */
  readonly timeoutMs: number;
}

/** Everything is seen at once. */
export const NO_LAGS: Lags = {
  visibilityMs: 0,
  completionMs: 0,
  readabilityMs: 0,
  checksumMismatchMs: 0,
  countMismatchMs: 0,
  timeoutMs: 0,
};

/** About what was seen on the real service in us-east-1. */
export const OBSERVED_LAGS: Lags = {
  visibilityMs: 0,
  completionMs: 1500,
  readabilityMs: 55_000,
  checksumMismatchMs: 30_000,
  countMismatchMs: 600_000,
  timeoutMs: 320_000,
};

/** What clients see of a snapshot at one moment. */
export interface SnapshotState {
  readonly status: 'pending' | 'completed' | 'error';
  readonly statusMessage: string | null;
  /** Whether EBS direct finds it for writing yet. */
  readonly isVisible: boolean;
  /** Whether EBS direct lists and reads it, and takes it as a parent. */
  readonly isReadable: boolean;
  readonly completionTimeMs: number | null;
}

/**
 * Derives the state of a snapshot from its record and the time. Nothing ever happens by timer: a state changes because
 * somebody looks at a later time, so a test moves the clock and needs not wait.
 */
export function stateAt(
  record: SnapshotRecord,
  moment: { readonly nowMs: number; readonly lastActivityMs: number },
  lags: Lags,
): SnapshotState {
  const { nowMs } = moment;
  const isVisible = nowMs >= record.startTimeMs + lags.visibilityMs;
  if (record.seal === null) {
    const diesMs = moment.lastActivityMs + record.timeoutMinutes * 60_000 + lags.timeoutMs;
    return nowMs >= diesMs ? failed('Snapshot timed out') : pending(isVisible);
  }
  if (record.verdict === null) return pending(isVisible);
  const age = nowMs - record.seal.atMs;
  switch (record.verdict.outcome) {
    case 'count-mismatch':
      return age < lags.countMismatchMs
        ? pending(isVisible)
        : failed('Changed blocks count mismatch for snapshot');
    case 'checksum-mismatch':
      return age < lags.checksumMismatchMs
        ? pending(isVisible)
        : failed('Checksum mismatch for snapshot');
    case 'good':
      if (age < lags.completionMs) return pending(isVisible);
      return {
        status: 'completed',
        statusMessage: null,
        isVisible,
        isReadable: age >= lags.completionMs + lags.readabilityMs,
        completionTimeMs: record.seal.atMs + lags.completionMs,
      };
  }
}

function pending(isVisible: boolean): SnapshotState {
  return {
    status: 'pending',
    statusMessage: null,
    isVisible,
    isReadable: false,
    completionTimeMs: null,
  };
}

function failed(statusMessage: string): SnapshotState {
  return {
    status: 'error',
    statusMessage,
    isVisible: true,
    isReadable: false,
    completionTimeMs: null,
  };
}
