import type { SnapshotRecord } from '../../src/local-server/snapshot-record.ts';

/** An open snapshot of 64 TiB without a parent, as the store keeps it. */
export function recordOf(snapshotId: string, fields: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    snapshotId,
    region: 'us-east-1',
    ownerId: '111122223333',
    volumeSizeGiB: 65_536,
    description: null,
    parentSnapshotId: null,
    lineage: snapshotId,
    tags: [],
    encrypted: false,
    kmsKeyArn: null,
    startTimeMs: 0,
    timeoutMinutes: 60,
    lastActivityMs: 0,
    seal: null,
    verdict: null,
    isDeleted: false,
    ...fields,
  };
}
