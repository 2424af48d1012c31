import { listChanges, type SnapshotPair } from './pipeline/changed-blocks.ts';

/** Tells which blocks may differ between two snapshots; asked in ascending order. */
export interface ChangedSince {
  has(blockIndex: number): Promise<boolean>;
  /** Ends the listing. */
  close(): Promise<void>;
}

/**
 * Lists what has changed from one snapshot to a later one of its lineage, as far as it is asked for.
 * @throws {ServiceError} also when the two have no lineage in common.
 */
export async function listChangedSince(pair: Omit<SnapshotPair, 'signal'>): Promise<ChangedSince> {
  const { transport, firstSnapshotId, secondSnapshotId } = pair;
  const stop = new AbortController();
  const firstPage = await transport.listChangedBlocks(
    { firstSnapshotId, secondSnapshotId },
    { signal: stop.signal },
  );
  const changes = listChanges({ ...pair, signal: stop.signal }, firstPage);
  let nextChanged = -1;
  return {
    async has(blockIndex) {
      while (nextChanged < blockIndex) {
        const { done, value } = await changes.next();
        nextChanged = done === true ? Infinity : value.blockIndex;
      }
      return nextChanged === blockIndex;
    },
    async close() {
      stop.abort();
      await changes.return();
    },
  };
}
