import type { EventQueue } from './event-queue.ts';

interface Flow {
  /** Bytes that each flow of the link will have been given when this one is through. */
  readonly endsAt: number;
  readonly done: () => void;
}

/** A link that its flows share equally, as TCP connections over one bottleneck do. Bodies have one size. */
export class Link {
  readonly #events: EventQueue;
  readonly #bodyBytes: number;
  #bytesPerMs: number;
  /** In the order of their ends, which is that of their starts since all are equally long. */
  readonly #flows: Flow[] = [];
  /** Bytes given to each flow since the start. */
  #given = 0;
  #givenAtMs = 0;
  #plan = 0;

  constructor(events: EventQueue, options: { bodyBytes: number; bytesPerSecond: number }) {
    this.#events = events;
    this.#bodyBytes = options.bodyBytes;
    this.#bytesPerMs = options.bytesPerSecond / 1000;
  }

  setRate(bytesPerSecond: number): void {
    this.#advance();
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#schedule();
  }

  /** Sends one body; returns a way to break it off. */
  send(done: () => void): () => void {
    if (this.#bytesPerMs === Infinity) {
      this.#events.after(0, done);
      return () => undefined;
    }
    this.#advance();
    const flow = { endsAt: this.#given + this.#bodyBytes, done };
    this.#flows.push(flow);
    this.#schedule();
    return () => {
      const position = this.#flows.indexOf(flow);
      if (position < 0) return;
      this.#advance();
      this.#flows.splice(position, 1);
      this.#schedule();
    };
  }

  #advance(): void {
    const passedMs = this.#events.nowMs - this.#givenAtMs;
    this.#givenAtMs = this.#events.nowMs;
    if (this.#flows.length > 0) this.#given += (passedMs * this.#bytesPerMs) / this.#flows.length;
  }

  #schedule(): void {
    this.#plan += 1;
    const plan = this.#plan;
    const first = this.#flows[0];
    if (first === undefined) return;
    const waitMs = ((first.endsAt - this.#given) * this.#flows.length) / this.#bytesPerMs;
    this.#events.after(waitMs, () => {
      if (plan !== this.#plan) return;
      this.#advance();
      this.#flows.shift();
      this.#schedule();
      first.done();
    });
  }
}
