/** Milliseconds that a rate is taken over: long enough to be steady, short enough to follow a change. */
const SPAN_MS = 5_000;

/** What a reading needs. */
export interface Reading {
  readonly bytesDone: number;
  readonly bytesTotal?: number;
  readonly elapsedMs: number;
}

/** Tells the rate of the last seconds and the time that is left at that rate. */
export class Speedometer {
  readonly #readings: Reading[] = [];

  update(reading: Reading): void {
    this.#readings.push(reading);
    while (this.#readings.length > 2 && this.#age(1) >= SPAN_MS) this.#readings.shift();
  }

  /** Absent until two readings are apart in time. */
  get bytesPerSecond(): number | undefined {
    const [first, last] = [this.#readings[0], this.#readings.at(-1)];
    if (first === undefined || last === undefined || this.#age(0) === 0) return undefined;
    return ((last.bytesDone - first.bytesDone) * 1000) / this.#age(0);
  }

  /** Absent while the total or the rate is unknown, or nothing moves. */
  get remainingMs(): number | undefined {
    const last = this.#readings.at(-1);
    const rate = this.bytesPerSecond;
    if (last?.bytesTotal === undefined || rate === undefined || rate <= 0) return undefined;
    return ((last.bytesTotal - last.bytesDone) * 1000) / rate;
  }

  #age(index: number): number {
    return (this.#readings.at(-1)?.elapsedMs ?? 0) - (this.#readings[index]?.elapsedMs ?? 0);
  }
}
