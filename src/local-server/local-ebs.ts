import { isIPv4 } from 'node:net';
import { Account } from './account.ts';
import { BlockBuffers } from './block-buffers.ts';
import { chooseBlockHasher } from './block-hasher.ts';
import { Faults, type FaultRule } from './faults.ts';
import { History, type RequestCounters, type RequestRecord } from './history.ts';
import { Hostility } from './hostility/hostility.ts';
import type { HostilitySettings } from './hostility/settings.ts';
import { Listener } from './listener.ts';
import {
  resolveLocalOptions,
  type LocalEbsOptions,
  type ResolvedLocalOptions,
} from './local-options.ts';
import type { SecondRates } from './rate-series.ts';
import { SnapshotStore } from './snapshot-store.ts';
import type { Service } from './service.ts';
import { Tokens } from './tokens.ts';
import { SignatureVerifier, type LocalCredentials } from './verify-signature.ts';
import { BLOCK_SIZE } from './wire-table.ts';
import { witnessSnapshot, type SnapshotReport } from './witness-snapshot.ts';

interface Parts {
  readonly options: ResolvedLocalOptions;
  readonly store: SnapshotStore;
  readonly history: History;
  readonly faults: Faults;
  readonly hostility: Hostility;
  readonly service: Service;
  readonly listener: Listener;
  readonly endpoint: string;
}

/**
 * The EBS direct APIs, and the EC2 calls around them, on a port of this machine with the data in a folder. Clients need
 * nothing but the endpoint and the credentials.
 */
export class LocalEbs {
  /** Base URL, as `http://127.0.0.1:49152`. */
  readonly endpoint: string;
  /** What clients sign with. */
  readonly credentials: LocalCredentials;
  /** A region that is accepted: the one set, else `us-east-1`. */
  readonly region: string;
  readonly directory: string;
  readonly #parts: Parts;
  #closed: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.endpoint = parts.endpoint;
    this.credentials = parts.options.credentials;
    this.region = parts.options.region ?? 'us-east-1';
    this.directory = parts.options.directory;
  }

  /**
   * Opens the folder and listens.
   * @throws {TypeError|RangeError} for a wrong option.
   * @throws {StoreError} when the folder cannot be used; the message is one sentence.
   * @throws {Error} of the system when the port or host cannot be had.
   */
  static async start(options: LocalEbsOptions): Promise<LocalEbs> {
    const resolved = resolveLocalOptions(options);
    const store = await SnapshotStore.open(resolved.directory);
    const history = new History(resolved.historyLimit);
    const faults = new Faults();
    const hostility = new Hostility();
    hostility.set(resolved.hostility);
    const service = makeService(resolved, store, hostility);
    const verifier = new SignatureVerifier(resolved.credentials, resolved.region);
    const listener = new Listener(
      {
        service,
        verifier,
        history,
        faults,
        hostility,
        hasher: chooseBlockHasher(),
      },
      resolved.idleTimeoutMs,
    );
    try {
      const endpoint = await listener.listen(resolved);
      warnWhenOpen(resolved.host);
      return new LocalEbs({
        options: resolved,
        store,
        history,
        faults,
        hostility,
        service,
        listener,
        endpoint,
      });
    } catch (error) {
      hostility.close();
      await store.close();
      throw error;
    }
  }

  /** Returns the last requests, in the order in which they ended. */
  history(): RequestRecord[] {
    return this.#parts.history.records();
  }

  /** Returns sums over all requests since the start. */
  counters(): RequestCounters {
    return this.#parts.history.counters();
  }

  /** Returns sums for each of the last seconds in which there was a request. */
  rates(): SecondRates[] {
    return this.#parts.history.rates();
  }

  /** Returns what was done with a snapshot, and what it holds; undefined for one that the witness does not know. */
  snapshotReport(snapshotId: string): Promise<SnapshotReport | undefined> {
    return witnessSnapshot(this.#parts, snapshotId);
  }

  /** Returns the hostility in force, its seed included. */
  hostility(): HostilitySettings {
    return this.#parts.hostility.settings();
  }

  /**
   * Changes how the service misbehaves, in place of all that was set before; `{}` ends it.
   * @throws {TypeError|RangeError} for a wrong setting, in one sentence.
   */
  setHostility(settings: HostilitySettings): void {
    this.#parts.hostility.set(settings);
  }

  /** Makes requests fail; see {@link FaultRule}. */
  inject(rule: FaultRule): void {
    this.#parts.faults.add(rule);
  }

  /** Forgets the injected faults that are not spent. */
  clearFaults(): void {
    this.#parts.faults.clear();
  }

  /** Resolves when every CompleteSnapshot so far has been judged and every deleted snapshot is cleaned up. */
  async settle(): Promise<void> {
    await this.#parts.store.settle();
  }

  /** Drops every connection, closes the folder, and leaves nothing that keeps the process alive. Idempotent. */
  close(): Promise<void> {
    this.#parts.hostility.close();
    this.#closed ??= this.#parts.listener.close().then(() => this.#parts.store.close());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function makeService(
  options: ResolvedLocalOptions,
  store: SnapshotStore,
  hostility: Hostility,
): Service {
  const { accountId, encryptionByDefault, defaultKmsKeyArn, lags, clock, maxBufferBytes } = options;
  return {
    store,
    tokens: new Tokens(store.tokenKey),
    buffers: new BlockBuffers(Math.floor(maxBufferBytes / BLOCK_SIZE)),
    now: () => clock.now(),
    account: new Account(accountId, { encryptionByDefault, defaultKmsKeyArn }),
    get lags() {
      return hostility.lags === undefined ? lags : { ...lags, ...hostility.lags };
    },
    get pendingSnapshotsMax() {
      return hostility.conditions?.quotas?.pendingSnapshots;
    },
  };
}

function warnWhenOpen(host: string): void {
  if ((isIPv4(host) && host.startsWith('127.')) || host === '::1' || host === 'localhost') return;
  process.emitWarning(`The local EBS service listens on ${host}, beyond this machine.`);
}
