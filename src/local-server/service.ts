import type { Account } from './account.ts';
import type { Answer } from './answers.ts';
import type { BlockBuffers } from './block-buffers.ts';
import type { HashedBytes } from './hashed-bytes.ts';
import { invalid, snapshotNotFound } from './refusal.ts';
import { stateAt, type Lags, type SnapshotState } from './snapshot-record.ts';
import type { SnapshotStore, StoredSnapshot } from './snapshot-store.ts';
import type { Tokens } from './tokens.ts';

/** What the operations work with. */
export interface Service {
  readonly store: SnapshotStore;
  readonly tokens: Tokens;
  readonly buffers: BlockBuffers;
  /** Epoch milliseconds of the service's clock. */
  readonly now: () => number;
  readonly account: Account;
  readonly lags: Lags;
  /** Pending snapshots that a region may have; undefined: any number. */
  readonly pendingSnapshotsMax: number | undefined;
}

/** A request of the EBS direct APIs, authenticated, its parts not yet judged. */
export interface EbsCall {
  readonly region: string;
  /** Parts of the path by their name in the service model. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: ReadonlyMap<string, string>;
  /** Header values by lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: ReceivedBody;
}

/** A body as it arrived. */
export interface ReceivedBody {
  /** At most a block for Put; nothing beyond that is kept. */
  readonly content: HashedBytes;
  readonly isTooLong: boolean;
  /** The client stopped sending before the end. */
  readonly isCut: boolean;
}

/** One operation: returns its answer or throws a Refusal. */
export type Operation = (service: Service, call: EbsCall) => Promise<Answer> | Answer;

/** Returns one header value; of several the first. */
export function headerOf(call: EbsCall, name: string): string | undefined {
  const value = call.headers[name.toLowerCase()];
  return Array.isArray(value) ? value[0] : value;
}

/** The state of a snapshot at this moment. */
export function stateOf(service: Service, snapshot: StoredSnapshot): SnapshotState {
  const moment = { nowMs: service.now(), lastActivityMs: snapshot.lastActivityMs };
  return stateAt(snapshot.record, moment, service.lags);
}

/**
 * Returns a snapshot that can be listed and read.
 * @throws {Refusal} SNAPSHOT_NOT_FOUND otherwise.
 */
export function requireReadable(
  service: Service,
  snapshotId: string,
  region: string,
): StoredSnapshot {
  const snapshot = service.store.find(snapshotId, region);
  if (snapshot === undefined || !stateOf(service, snapshot).isReadable) {
    throw snapshotNotFound(snapshotId);
  }
  return snapshot;
}

/**
 * Returns a snapshot that takes blocks.
 * @throws {Refusal} SNAPSHOT_NOT_FOUND, or INVALID_SNAPSHOT_ID when it is sealed.
 */
export function requireWritable(
  service: Service,
  snapshotId: string,
  region: string,
): StoredSnapshot {
  const snapshot = service.store.find(snapshotId, region);
  if (snapshot === undefined) throw snapshotNotFound(snapshotId);
  const state = stateOf(service, snapshot);
  if (!state.isVisible || state.status === 'error') throw snapshotNotFound(snapshotId);
  if (snapshot.record.seal !== null) throw alreadyCompleted();
  return snapshot;
}

/** The snapshot was sealed by CompleteSnapshot. */
export function alreadyCompleted(): Error {
  return invalid('INVALID_SNAPSHOT_ID', 'Snapshot is already completed');
}
