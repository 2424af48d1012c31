import { createHash } from 'node:crypto';
import { blockKey, blockRange, decodeBlock, indexOfKey, type Metadata } from './block-records.ts';
import type { SnapshotRecord, Verdict } from './snapshot-record.ts';

const BATCH_SIZE = 1024;

/**
 * Judges a sealed snapshot in one pass over its own blocks: how many there are, what they aggregate to, and how many are
 * new against the parent. Memory is one batch of records.
 * @param ancestors - parent, grandparent and so on.
 * @param parentBlockCount - own and inherited blocks of the parent; 0 without one.
 * @param signal - stops at the next batch, with the signal's reason.
 */
export async function judgeSeal(
  metadata: Metadata,
  record: SnapshotRecord,
  lineage: {
    readonly ancestors: readonly string[];
    readonly parentBlockCount: number;
    readonly signal: AbortSignal;
  },
): Promise<Verdict> {
  const aggregate = createHash('sha256');
  let ownBlockCount = 0;
  let addedBlockCount = 0;
  for await (const batch of ownBatches(metadata, record.snapshotId, lineage.signal)) {
    for (const [, value] of batch) aggregate.update(decodeBlock(value).digest);
    ownBlockCount += batch.length;
    const indices = batch.map(([key]) => indexOfKey(key));
    addedBlockCount += await countAbsent(metadata, indices, lineage.ancestors);
  }
  return {
    outcome: judge(record, ownBlockCount, aggregate.digest('base64')),
    ownBlockCount,
    totalBlockCount: lineage.parentBlockCount + addedBlockCount,
  };
}

/** What CompleteSnapshot has to declare for a snapshot as it is now. */
export interface OwnFigures {
  /** Distinct blocks put to this snapshot. */
  readonly changedBlocksCount: number;
  /** Base64 of the LINEAR aggregate of their digests. */
  readonly checksum: string;
}

/** Counts and aggregates a snapshot's own blocks in one pass. */
export async function computeOwnFigures(
  metadata: Metadata,
  snapshotId: string,
  signal: AbortSignal,
): Promise<OwnFigures> {
  const aggregate = createHash('sha256');
  let changedBlocksCount = 0;
  for await (const batch of ownBatches(metadata, snapshotId, signal)) {
    for (const [, value] of batch) aggregate.update(decodeBlock(value).digest);
    changedBlocksCount += batch.length;
  }
  return { changedBlocksCount, checksum: aggregate.digest('base64') };
}

/** The records of a snapshot's own blocks in ascending order. */
async function* ownBatches(
  metadata: Metadata,
  snapshotId: string,
  signal: AbortSignal,
): AsyncGenerator<[string, Buffer][]> {
  const entries = metadata.iterator(blockRange(snapshotId));
  try {
    for (;;) {
      signal.throwIfAborted();
      const batch = await entries.nextv(BATCH_SIZE);
      if (batch.length === 0) return;
      yield batch;
    }
  } finally {
    await entries.close();
  }
}

function judge(
  { seal }: SnapshotRecord,
  ownBlockCount: number,
  checksum: string,
): Verdict['outcome'] {
  if (seal?.changedBlocksCount !== ownBlockCount) return 'count-mismatch';
  if (seal.checksum !== null && seal.checksum !== checksum) return 'checksum-mismatch';
  return 'good';
}

/** How many of `indices` no ancestor holds. */
async function countAbsent(
  metadata: Metadata,
  indices: readonly number[],
  ancestors: readonly string[],
): Promise<number> {
  let absent = indices;
  for (const ancestor of ancestors) {
    if (absent.length === 0) break;
    const found = await metadata.hasMany(absent.map((index) => blockKey(ancestor, index)));
    absent = absent.filter((_, i) => found[i] !== true);
  }
  return absent.length;
}
