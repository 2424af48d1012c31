import type { History } from './history.ts';
import type { OwnFigures } from './seal-verdict.ts';
import { stateOf, type Service } from './service.ts';
import type { SnapshotSummary } from './snapshot-ledger.ts';

/** What was done with a snapshot, and what came of it. */
export interface SnapshotReport extends SnapshotSummary {
  /** As EC2 shows it; `deleted` when nobody finds it any more. */
  readonly status: 'pending' | 'completed' | 'error' | 'deleted';
  readonly statusMessage: string | null;
  /** What the service counts and aggregates over the blocks that it holds: what `declared` ought to say. */
  readonly computed: OwnFigures;
}

/** Compares what clients did and said with what the store holds. Reads the records of all of the snapshot's blocks. */
export async function witnessSnapshot(
  { history, service }: { readonly history: History; readonly service: Service },
  snapshotId: string,
): Promise<SnapshotReport | undefined> {
  const summary = history.summaryOf(snapshotId);
  const record = service.store.recordOf(snapshotId);
  if (summary === undefined || record === undefined) return undefined;
  const computed = await service.store.ownFigures(snapshotId);
  const snapshot = service.store.find(snapshotId, record.region);
  const state =
    snapshot === undefined
      ? { status: 'deleted' as const, statusMessage: null }
      : stateOf(service, snapshot);
  const { status, statusMessage } = state;
  return { ...summary, status, statusMessage, computed };
}
