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
  readonly endedAtMs: number;
  /** Requests in flight when this one arrived, itself included. */
  readonly concurrency: number;
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
}

/** What is known of a request when it has ended. */
export type RequestOutcome = Omit<
  RequestRecord,
  'sequence' | 'startedAtMs' | 'endedAtMs' | 'concurrency'
> & { readonly blockBytesIn?: number; readonly blockBytesOut?: number };

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

  /** @param limit - records to keep; the oldest go first. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Notes the arrival of a request. */
  open(): OpenRequest {
    this.#sequence += 1;
    this.#inFlight += 1;
    this.#inFlightMax = Math.max(this.#inFlightMax, this.#inFlight);
    return { sequence: this.#sequence, startedAtMs: wallMs(), concurrency: this.#inFlight };
  }

  /** Notes the end of a request. */
  close(request: OpenRequest, outcome: RequestOutcome): void {
    const { blockBytesIn = 0, blockBytesOut = 0, ...facts } = outcome;
    this.#inFlight -= 1;
    this.#blockBytesIn += blockBytesIn;
    this.#blockBytesOut += blockBytesOut;
    count(this.#byOperation, facts.operation);
    count(this.#byStatus, String(facts.status));
    const record = { ...request, ...brief(facts), endedAtMs: wallMs() };
    if (this.#records.length < this.#limit) {
      this.#records.push(record);
      return;
    }
    this.#forgotten += 1;
    if (this.#limit === 0) return;
    this.#records[this.#oldest] = record;
    this.#oldest = (this.#oldest + 1) % this.#limit;
  }

  /** Returns the remembered requests in the order in which they ended. */
  records(): RequestRecord[] {
    return [...this.#records.slice(this.#oldest), ...this.#records.slice(0, this.#oldest)];
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
