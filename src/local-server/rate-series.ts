/** What happened in one second. */
export type SecondRates = Readonly<OpenSecond>;

interface OpenSecond {
  /** Epoch seconds. */
  second: number;
  /** Requests whose headers came. */
  arrived: number;
  /** Requests that ended with a 2xx, with a throttle, and in any other way. */
  succeeded: number;
  throttled: number;
  failed: number;
  /** Blocks stored and blocks read. */
  blocksIn: number;
  blocksOut: number;
  /** The most requests in flight when one arrived. */
  inFlightMax: number;
}

/** How a request ended. */
export interface Ending {
  readonly operation: string;
  readonly isSuccess: boolean;
  readonly isThrottle: boolean;
}

/** One line of sums for each second in which something happened, the last of them. */
export class RateSeries {
  readonly #limit: number;
  #seconds: OpenSecond[] = [];

  /** @param limit - seconds to keep; the oldest go first. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts a request that came at `ms` (epoch). */
  arrive(ms: number, inFlight: number): void {
    const second = this.#at(ms);
    second.arrived += 1;
    second.inFlightMax = Math.max(second.inFlightMax, inFlight);
  }

  /** Counts a request that ended at `ms` (epoch). */
  end(ms: number, { operation, isSuccess, isThrottle }: Ending): void {
    const second = this.#at(ms);
    if (isSuccess) second.succeeded += 1;
    else if (isThrottle) second.throttled += 1;
    else second.failed += 1;
    if (isSuccess && operation === 'PutSnapshotBlock') second.blocksIn += 1;
    if (isSuccess && operation === 'GetSnapshotBlock') second.blocksOut += 1;
  }

  /** Returns the seconds that are kept, in order; those without a request are left out. */
  seconds(): SecondRates[] {
    return this.#seconds.slice(-this.#limit).map((rates) => ({ ...rates }));
  }

  #at(ms: number): OpenSecond {
    const second = Math.floor(ms / 1000);
    const last = this.#seconds.at(-1);
    // A clock that was set back goes on in the second that it had reached.
    if (last !== undefined && last.second >= second) return last;
    const rates = {
      second,
      arrived: 0,
      succeeded: 0,
      throttled: 0,
      failed: 0,
      blocksIn: 0,
      blocksOut: 0,
      inFlightMax: 0,
    };
    this.#seconds.push(rates);
    // Twice the limit before it is cut, so that cutting costs nothing.
    if (this.#seconds.length > 2 * this.#limit) this.#seconds = this.#seconds.slice(-this.#limit);
    return rates;
  }
}
