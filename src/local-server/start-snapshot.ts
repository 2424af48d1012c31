import { jsonAnswer, type Answer } from './answers.ts';
import { checkEncryptionRequest, decideEncryption } from './encryption.ts';
import { conflict, invalid, snapshotNotFound, tooManyPending } from './refusal.ts';
import { stateOf, type EbsCall, type Service } from './service.ts';
import type { SnapshotRecord, Tag } from './snapshot-record.ts';
import { checkStartValues, readStartRequest, type StartRequest } from './start-request.ts';
import { EpochTime } from './wire-json.ts';
import { BLOCK_SIZE } from './wire-table.ts';

/** What a ClientToken was used for: the request, and the stored answer. */
interface StoredStart {
  readonly fingerprint: string;
  readonly snapshot: SnapshotRecord;
}

/**
 * StartSnapshot: makes a pending snapshot, or answers as before when the ClientToken is known. Calls run one after the
 * other, so that two with one token cannot both make a snapshot.
 */
export async function startSnapshot(service: Service, call: EbsCall): Promise<Answer> {
  const request = readStartRequest(call.body.content.bytes);
  return service.store.exclusively(async () => {
    const { clientToken } = request;
    const fingerprint = JSON.stringify({ ...request, clientToken: null });
    if (clientToken !== undefined) {
      const known = await service.store.findToken<StoredStart>(call.region, clientToken);
      if (known !== undefined && known.fingerprint !== fingerprint) throw conflict();
      if (known !== undefined) return startAnswer(known.snapshot);
    }
    const snapshot = newRecord(service, request, call.region);
    const token =
      clientToken === undefined ? {} : { token: { name: clientToken, fingerprint, snapshot } };
    await service.store.create(snapshot, token.token);
    return startAnswer(snapshot);
  });
}

function newRecord(service: Service, request: StartRequest, region: string): SnapshotRecord {
  const { account, store } = service;
  checkStartValues(request);
  checkPendingLimit(service, region);
  checkEncryptionRequest(request, account.encryptionIn(region));
  const parent = requireParent(service, request, region);
  const context = { account, region, storeId: store.storeId };
  const encryption = decideEncryption(request, parent, context);
  const snapshotId = store.newSnapshotId();
  const nowMs = Math.floor(service.now());
  return {
    snapshotId,
    region,
    ownerId: account.accountId,
    volumeSizeGiB: request.volumeSizeGiB,
    description: request.description ?? null,
    parentSnapshotId: parent?.snapshotId ?? null,
    lineage: parent?.lineage ?? snapshotId,
    tags: request.tags ?? [],
    ...encryption,
    startTimeMs: nowMs,
    timeoutMinutes: request.timeoutMinutes,
    lastActivityMs: nowMs,
    seal: null,
    verdict: null,
    isDeleted: false,
  };
}

function checkPendingLimit(service: Service, region: string): void {
  const { pendingSnapshotsMax } = service;
  if (pendingSnapshotsMax === undefined) return;
  let pendingCount = 0;
  for (const snapshot of service.store.list(region)) {
    if (stateOf(service, snapshot).status === 'pending') pendingCount += 1;
  }
  if (pendingCount >= pendingSnapshotsMax) throw tooManyPending(pendingSnapshotsMax);
}

/** The parent must be readable through EBS direct, not only completed, and no larger than the child. */
function requireParent(
  service: Service,
  { parentSnapshotId, volumeSizeGiB }: StartRequest,
  region: string,
): SnapshotRecord | undefined {
  if (parentSnapshotId === undefined) return undefined;
  const parent = service.store.find(parentSnapshotId, region);
  if (parent === undefined) throw snapshotNotFound(parentSnapshotId);
  const state = stateOf(service, parent);
  if (state.status === 'error') throw snapshotNotFound(parentSnapshotId);
  if (!state.isReadable) {
    throw invalid('INVALID_SNAPSHOT_ID', `Source snapshot (${parentSnapshotId}) is not complete.`);
  }
  if (parent.record.volumeSizeGiB > volumeSizeGiB) {
    throw invalid(
      'INVALID_VOLUME_SIZE',
      `Volume size ${volumeSizeGiB} is smaller than that of the parent, ${parent.record.volumeSizeGiB}`,
    );
  }
  return parent.record;
}

/** The answer is what it was at the start, so a replay says `pending` even of a completed snapshot. */
function startAnswer(snapshot: SnapshotRecord): Answer {
  return jsonAnswer('StartSnapshot', {
    BlockSize: BLOCK_SIZE,
    Description: snapshot.description,
    KmsKeyArn: snapshot.kmsKeyArn,
    OwnerId: snapshot.ownerId,
    ParentSnapshotId: snapshot.parentSnapshotId,
    SnapshotId: snapshot.snapshotId,
    SseType: null,
    StartTime: new EpochTime(snapshot.startTimeMs),
    Status: 'pending',
    Tags: snapshot.tags.length === 0 ? null : snapshot.tags.map(toWire),
    VolumeSize: snapshot.volumeSizeGiB,
  });
}

function toWire({ Key, Value }: Tag): { Key: string; Value: string } {
  return { Key, Value };
}
