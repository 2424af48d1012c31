import { RateSeries, type SecondRates } from './rate-series.ts';
import type { Arrival, SnapshotLedger, SnapshotSummary } from './snapshot-ledger.ts';
import { SnapshotLedgers } from './snapshot-ledgers.ts';

/** One request as the service saw it, written when it has ended. */
export interface RequestRecord {
  /** 1 for the first request, in order of arrival. */
  readonly sequence: number;
  /** The operation, as `PutSnapshotBlock` or EC2's `DescribeSnapshots`; `Unknown` when no operation was meant. */
  readonly operation: string;
  readonly snapshotId?: string | undefined;
  readonly blockIndex?: number | undefined;
  /** Base64 SHA-256 of the block put or read. */
  readonly digest?: string | undefined;
  /** HTTP status; 0 when no answer was sent. */
  readonly status: number;
  readonly errorType?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  /** Epoch milliseconds of the machine's clock, with fractions, at the end of the request's headers. */
  readonly startedAtMs: number;
  /** When its body had come; undefined when not all of it was read. */
  readonly bodyAtMs?: number | undefined;
  /** When its answer began to leave, or its end without one. */
  readonly endedAtMs: number;
  /** When the last byte of its answer was with the kernel. */
  readonly sentAtMs?: number | undefined;
  /** Requests in flight when this one arrived, itself included. */
  readonly concurrency: number;
  /**
   * 1 for the first request of this operation for this block, up to 255; without a block, for this snapshot, without a
   * snapshot, at all. Calls beside EBS direct count together. Undefined when memory did not suffice to tell.
   */
  readonly attempt?: number | undefined;
  /** 1 for the first connection, and 1 for the first request on it. */
  readonly connectionId?: number | undefined;
  readonly connectionRequest?: number | undefined;
  /** Bytes of the body that were read before the answer. */
  readonly bodyBytesIn?: number | undefined;
  /** The fault that struck, scripted or drawn: its name, or its error type. */
  readonly fault?: string | undefined;
}

/** Sums since the start of the service. */
export interface RequestCounters {
  readonly requests: number;
  readonly inFlight: number;
  /** The most requests that were in flight at one time. */
  readonly inFlightMax: number;
  /** Ended requests by operation. */
  readonly byOperation: Readonly<Record<string, number>>;
  /** Ended requests by status; `0` are those without an answer. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Bytes of blocks that were stored, repeats included, and of blocks that were read. */
  readonly blockBytesIn: number;
  readonly blockBytesOut: number;
  /** Ended requests that the history no longer holds. */
  readonly forgotten: number;
}

/** A request under way. */
export interface OpenRequest {
  readonly sequence: number;
  readonly startedAtMs: number;
  readonly concurrency: number;
  readonly attempt: number | undefined;
  readonly connectionId: number | undefined;
  readonly connectionRequest: number | undefined;
}

/** What is known of a request when it has ended. */
export type RequestOutcome = Omit<RequestRecord, keyof OpenRequest | 'endedAtMs' | 'sentAtMs'> & {
  readonly blockBytesIn?: number;
  readonly blockBytesOut?: number;
  /** The answer will not arrive whole. */
  readonly isLost?: boolean;
};

/** What a connection is known by. */
interface Connection {
  readonly id: number;
  requests: number;
}

/** Seconds of rates to remember. */
const SECONDS_MAX = 3600;
const THROTTLES: ReadonlySet<string | undefined> = new Set([
  'RequestThrottledException',
  'ThrottlingException',
  'ConcurrentLimitExceededException',
]);

/** Characters of an id or message that a record keeps. */
const TEXT_MAX = 1024;

/** The witness: remembers the last requests and counts them all, so that a test can prove what a client did. */
export class History {
  readonly #limit: number;
  readonly #records: RequestRecord[] = [];
  /** Where the oldest record is, once the list is full. */
  #oldest = 0;
  #sequence = 0;
  #inFlight = 0;
  #inFlightMax = 0;
  #forgotten = 0;
  #blockBytesIn = 0;
  #blockBytesOut = 0;
  readonly #byOperation = new Map<string, number>();
  readonly #byStatus = new Map<string, number>();
  readonly #rates = new RateSeries(SECONDS_MAX);
  readonly #ledgers = new SnapshotLedgers();
  readonly #open = new Map<number, { arrival: Arrival; ledger: SnapshotLedger | undefined }>();
  /** Requests that name no snapshot, by operation. */
  readonly #attempts = new Map<string, number>();
  readonly #connections = new WeakMap<object, Connection>();
  #connectionCount = 0;

  /** @param limit - records to keep; the oldest go first. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Notes the arrival of a request. */
  open(arrival: Arrival = {}): OpenRequest {
    const startedAtMs = wallMs();
    this.#sequence += 1;
    this.#inFlight += 1;
    this.#inFlightMax = Math.max(this.#inFlightMax, this.#inFlight);
    const { snapshotId } = arrival;
    const ledger = snapshotId === undefined ? undefined : this.#ledgers.of(snapshotId);
    this.#open.set(this.#sequence, { arrival, ledger });
    this.#rates.arrive(startedAtMs, this.#inFlight);
    const connection = this.#connectionOf(arrival);
    return {
      sequence: this.#sequence,
      startedAtMs,
      concurrency: this.#inFlight,
      attempt: ledger?.open(arrival, startedAtMs) ?? this.#attemptOf(arrival),
      connectionId: connection?.id,
      connectionRequest: connection?.requests,
    };
  }

  /** Notes the end of a request. Returns a function that notes when its answer has been sent. */
  close(request: OpenRequest, outcome: RequestOutcome): () => void {
    const { blockBytesIn = 0, blockBytesOut = 0, isLost = false, ...facts } = outcome;
    this.#inFlight -= 1;
    this.#blockBytesIn += blockBytesIn;
    this.#blockBytesOut += blockBytesOut;
    count(this.#byOperation, facts.operation);
    count(this.#byStatus, String(facts.status));
    const record = { ...request, ...brief(facts), endedAtMs: wallMs(), sentAtMs: undefined };
    this.#closeOpen(record, isLost);
    this.#remember(record);
    return () => void Object.assign(record, { sentAtMs: wallMs() });
  }

  /** Returns the remembered requests in the order in which they ended. */
  records(): RequestRecord[] {
    return [...this.#records.slice(this.#oldest), ...this.#records.slice(0, this.#oldest)];
  }

  /** Returns the rates of the last seconds in which something happened. */
  rates(): SecondRates[] {
    return this.#rates.seconds();
  }

  /** Returns what was done with a snapshot; undefined when nothing was, or it is forgotten. */
  summaryOf(snapshotId: string): SnapshotSummary | undefined {
    return this.#ledgers.find(snapshotId)?.summary();
  }

  /** 1 for the first snapshot that was asked for; 0 without a snapshot. */
  ordinalOf({ snapshotId }: Arrival): number {
    return snapshotId === undefined ? 0 : (this.#ledgers.find(snapshotId)?.ordinal ?? 0);
  }

  /** Returns the sums as they are now. */
  counters(): RequestCounters {
    return {
      requests: this.#sequence,
      inFlight: this.#inFlight,
      inFlightMax: this.#inFlightMax,
      byOperation: Object.fromEntries(this.#byOperation),
      byStatus: Object.fromEntries(this.#byStatus),
      blockBytesIn: this.#blockBytesIn,
      blockBytesOut: this.#blockBytesOut,
      forgotten: this.#forgotten,
    };
  }

  #remember(record: RequestRecord): void {
    if (this.#records.length < this.#limit) {
      this.#records.push(record);
      return;
    }
    this.#forgotten += 1;
    if (this.#limit === 0) return;
    this.#records[this.#oldest] = record;
    this.#oldest = (this.#oldest + 1) % this.#limit;
  }

  #closeOpen(record: RequestRecord, isLost: boolean): void {
    const { arrival = {}, ledger } = this.#open.get(record.sequence) ?? {};
    this.#open.delete(record.sequence);
    const { status, operation, endedAtMs } = record;
    const isSuccess = status >= 200 && status < 300;
    const isThrottle = THROTTLES.has(record.errorType);
    const end = { operation, isSuccess, isThrottle, isLost };
    this.#rates.end(endedAtMs, end);
    ledger?.close(arrival, end, endedAtMs);
  }

  /** The number of a request that names no snapshot among those of its operation. */
  #attemptOf({ operation = 'Unknown', snapshotId }: Arrival): number | undefined {
    if (snapshotId !== undefined) return undefined;
    count(this.#attempts, operation);
    return this.#attempts.get(operation);
  }

  #connectionOf({ connection }: Arrival): Connection | undefined {
    if (connection === undefined) return undefined;
    let known = this.#connections.get(connection);
    if (known === undefined) {
      this.#connectionCount += 1;
      known = { id: this.#connectionCount, requests: 0 };
      this.#connections.set(connection, known);
    }
    known.requests += 1;
    return known;
  }
}

/** Cuts what clients can make long, for many records of long texts would take memory without bound. */
function brief<T extends Pick<RequestRecord, 'snapshotId' | 'message'>>(facts: T): T {
  const { snapshotId, message } = facts;
  return { ...facts, snapshotId: cut(snapshotId), message: cut(message) };
}

function cut(text: string | undefined): string | undefined {
  if (text === undefined || text.length <= TEXT_MAX) return text;
  // A slice would keep the whole text alive; bytes do not.
  return `${Buffer.from(text.slice(0, TEXT_MAX)).toString()}…`;
}

function count(sums: Map<string, number>, name: string): void {
  sums.set(name, (sums.get(name) ?? 0) + 1);
}

function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
