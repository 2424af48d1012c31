import { BLOCK_SIZE } from '../../src/base/constants.ts';
import type { Outcome } from '../../src/pipeline/window.ts';
import type { EventQueue } from './event-queue.ts';
import { Link } from './link.ts';
import type { Path } from './path.ts';

/** How a request comes back to the client; a stalled one never does. */
export type Reply = Exclude<Outcome, 'timeout' | 'cancelled' | 'fatal'>;

/** Time from the arrival of a refused or failing request to its answer. */
const REFUSAL_MS = 2;

class Bucket {
  #tokens: number | undefined;
  #atMs = 0;

  /** Takes a token; false when there is none. */
  take(ratePerSecond: number, depth: number, nowMs: number): boolean {
    if (ratePerSecond === Infinity) return true;
    const refilled = (this.#tokens ?? depth) + ((nowMs - this.#atMs) * ratePerSecond) / 1000;
    this.#tokens = Math.min(depth, refilled);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** The service and the link to it, shared by every simulated process. */
export class SimulatedService {
  readonly #events: EventQueue;
  readonly #random: () => number;
  readonly #link: Link;
  readonly #account = new Bucket();
  readonly #snapshots = new Map<string, Bucket>();
  #path: Path;
  #freeAtMs = 0;

  constructor(events: EventQueue, path: Path, random: () => number) {
    this.#events = events;
    this.#path = path;
    this.#random = random;
    const { linkBytesPerSecond: bytesPerSecond } = path;
    this.#link = new Link(events, { bodyBytes: BLOCK_SIZE, bytesPerSecond });
    this.#visitAsNeighbour();
  }

  get path(): Path {
    return this.#path;
  }

  set path(path: Path) {
    this.#path = path;
    this.#link.setRate(path.linkBytesPerSecond);
  }

  /** Sends one block; returns a way to break the request off. */
  put(
    snapshotId: string,
    on: { readonly flushed: () => void; readonly replied: (reply: Reply) => void },
  ): () => void {
    const { nowMs } = this.#events;
    return this.#link.send(() => {
      on.flushed();
      if (this.#events.nowMs - nowMs > this.#path.bodyMsMax) {
        this.#reply('bad-read', this.#path.rttMs / 2, on.replied);
        return;
      }
      this.#events.after(this.#path.rttMs / 2, () => this.#arrived(snapshotId, on.replied));
    });
  }

  #arrived(snapshotId: string, replied: (reply: Reply) => void): void {
    const { resetShare, errorShare, stallShare } = this.#path;
    const refusal = this.#refusal(snapshotId);
    const fate = this.#random();
    if (refusal !== undefined) this.#reply(refusal, REFUSAL_MS, replied);
    else if (fate < resetShare) this.#reply('reset', REFUSAL_MS, replied);
    else if (fate < resetShare + errorShare) this.#reply('server-error', REFUSAL_MS, replied);
    else if (fate >= resetShare + errorShare + stallShare) {
      this.#reply('ok', this.#queueMs() + this.#latencyMs(), replied);
    }
  }

  #reply(reply: Reply, serviceMs: number, replied: (reply: Reply) => void): void {
    this.#events.after(serviceMs + this.#path.rttMs / 2, () => replied(reply));
  }

  #refusal(snapshotId: string): Reply | undefined {
    const { accountPerSecond, snapshotPerSecond, bucketDepth } = this.#path;
    const { nowMs } = this.#events;
    let snapshot = this.#snapshots.get(snapshotId);
    if (snapshot === undefined) this.#snapshots.set(snapshotId, (snapshot = new Bucket()));
    if (!snapshot.take(snapshotPerSecond, bucketDepth, nowMs)) return 'throttled-snapshot';
    return this.#account.take(accountPerSecond, bucketDepth, nowMs)
      ? undefined
      : 'throttled-account';
  }

  #queueMs(): number {
    const startMs = Math.max(this.#events.nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + 1000 / this.#path.capacityPerSecond;
    return startMs - this.#events.nowMs;
  }

  #latencyMs(): number {
    const { latencyMs, latencySigma, tailShare, tailMs } = this.#path;
    const tail = this.#random() < tailShare ? -Math.log(1 - this.#random()) * tailMs : 0;
    return latencyMs * Math.exp(latencySigma * this.#normal()) + tail;
  }

  /** A standard normal number (Box and Muller). */
  #normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.#random()));
    return radius * Math.cos(2 * Math.PI * this.#random());
  }

  #visitAsNeighbour(): void {
    const { neighbourPerSecond, accountPerSecond, bucketDepth } = this.#path;
    const isThere = neighbourPerSecond > 0;
    if (isThere) this.#account.take(accountPerSecond, bucketDepth, this.#events.nowMs);
    const waitMs = isThere ? 1000 / neighbourPerSecond : 100;
    this.#events.after(waitMs, () => this.#visitAsNeighbour());
  }
}
