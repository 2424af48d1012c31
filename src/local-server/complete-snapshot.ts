import { setTimeout as delay } from 'node:timers/promises';
import { jsonAnswer, type Answer } from './answers.ts';
import { Constraints, parseInteger } from './constraints.ts';
import { invalidParameter, snapshotNotFound } from './refusal.ts';
import { headerOf, stateOf, type EbsCall, type Service } from './service.ts';
import { HEADER, PATTERN } from './wire-table.ts';

/** How long the answer may wait for the verdict, so that without lags a client finds the final state at once. */
const PATIENCE_MS = 1000;

interface CompleteRequest {
  readonly snapshotId: string;
  readonly changedBlocksCount: number;
  readonly checksum: string | undefined;
  readonly algorithm: string | undefined;
  readonly method: string | undefined;
}

/**
 * CompleteSnapshot: accepts, and judges count and checksum later. Asked again, it tells the state, whatever figures come
 * along.
 */
export async function completeSnapshot(service: Service, call: EbsCall): Promise<Answer> {
  const request = readRequest(call);
  const snapshot = service.store.find(request.snapshotId, call.region);
  if (snapshot === undefined) throw snapshotNotFound(request.snapshotId);
  const state = stateOf(service, snapshot);
  if (!state.isVisible) throw snapshotNotFound(request.snapshotId);
  if (snapshot.record.seal !== null || state.status === 'error') {
    return jsonAnswer('CompleteSnapshot', { Status: state.status });
  }
  checkTrio(request);
  await service.store.seal(snapshot, {
    atMs: service.now(),
    changedBlocksCount: request.changedBlocksCount,
    checksum: request.checksum ?? null,
  });
  await settleWithin(snapshot.judging, PATIENCE_MS);
  return jsonAnswer('CompleteSnapshot', { Status: 'pending' });
}

async function settleWithin(work: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController();
  const timeUp = delay(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([work, timeUp]);
  timer.abort();
}

function readRequest(call: EbsCall): CompleteRequest {
  const { SnapshotId: snapshotId = '' } = call.path;
  const changedBlocksCount = parseInteger(headerOf(call, HEADER.changedBlocksCount));
  const checksum = headerOf(call, HEADER.checksum);
  const algorithm = headerOf(call, HEADER.checksumAlgorithm);
  const method = headerOf(call, HEADER.aggregationMethod);
  const constraints = new Constraints();
  constraints.text('snapshotId', snapshotId, { maxLength: 64, pattern: PATTERN.snapshotId });
  constraints.required('changedBlocksCount', changedBlocksCount);
  constraints.range('changedBlocksCount', changedBlocksCount, { min: 0 });
  constraints.text('checksum', checksum, { maxLength: 64, pattern: PATTERN.checksum });
  constraints.oneOf('checksumAlgorithm', algorithm, ['SHA256']);
  constraints.oneOf('checksumAggregationMethod', method, ['LINEAR']);
  constraints.check();
  return {
    snapshotId,
    changedBlocksCount: changedBlocksCount ?? 0,
    checksum,
    algorithm,
    method,
  };
}

/** Checksum, algorithm and method come together or not at all. */
function checkTrio({ checksum, algorithm, method }: CompleteRequest): void {
  if (checksum === undefined && algorithm === undefined && method === undefined) return;
  if (checksum === undefined) throw missing('Snapshot checksum');
  if (algorithm === undefined) throw missing('Checksum algorithm');
  if (method === undefined) throw missing('Checksum aggregation method');
}

function missing(what: string): Error {
  return invalidParameter(`Invalid parameter combination. ${what} is missing.`);
}
