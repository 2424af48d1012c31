/** Idle time that a link makes up for: who asks for one piece at a time leaves it idle for a moment after each. */
const CATCH_UP_SECONDS = 0.005;

interface Waiting {
  readonly byteCount: number;
  readonly go: () => void;
  /** Its bytes are on the link. */
  isCharged: boolean;
}

/**
 * One direction of a path: bytes take their time, one after the other. Who asks for one piece at a time gets the same
 * share as everybody else.
 */
export class Link {
  readonly #now: () => number;
  #bytesPerSecond = Infinity;
  /** Bytes that may go now; below 0 there are bytes on the link. */
  #balance = 0;
  #settledAtMs: number;
  #timer: NodeJS.Timeout | undefined;
  readonly #queue: Waiting[] = [];

  /** @param now - milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
    this.#settledAtMs = now();
  }

  /** Changes the bandwidth, for the bytes under way too. */
  setRate(bytesPerSecond: number): void {
    this.#settle();
    this.#bytesPerSecond = bytesPerSecond;
    if (bytesPerSecond === Infinity) this.#balance = 0;
    this.pump();
  }

  /** Resolves when `byteCount` bytes have come through; at once with an unlimited rate, or when `signal` is aborted. */
  pass(byteCount: number, signal?: AbortSignal): Promise<void> | undefined {
    if (this.#bytesPerSecond === Infinity || signal?.aborted === true) return undefined;
    return new Promise((resolve) => {
      const go = (): void => {
        signal?.removeEventListener('abort', go);
        resolve();
      };
      signal?.addEventListener('abort', go);
      this.#settle();
      this.#queue.push({ byteCount, go, isCharged: false });
      this.pump();
    });
  }

  /** Lets go whose time has come. Called by timer; tests call it after moving their clock. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#settle();
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (!next.isCharged && this.#bytesPerSecond !== Infinity) this.#balance -= next.byteCount;
      next.isCharged = true;
      if (Math.round(this.#balance) < 0) {
        const waitMs = Math.ceil((-this.#balance / this.#bytesPerSecond) * 1000);
        this.#timer = setTimeout(() => this.pump(), waitMs).unref();
        return;
      }
      this.#queue.shift();
      next.go();
    }
  }

  #settle(): void {
    const nowMs = this.#now();
    const seconds = (nowMs - this.#settledAtMs) / 1000;
    this.#settledAtMs = nowMs;
    if (this.#bytesPerSecond === Infinity) return;
    // With bytes waiting it was not idle: a timer that comes late, as on a busy machine, must not cost rate.
    const most = this.#queue.length > 0 ? Infinity : this.#bytesPerSecond * CATCH_UP_SECONDS;
    this.#balance = Math.min(most, this.#balance + seconds * this.#bytesPerSecond);
  }
}
