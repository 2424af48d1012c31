import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { onceDone } from '../answer-end.ts';
import type { Answer } from '../answers.ts';
import { carriesBlock, subjectOf, type Incoming } from '../incoming.ts';
import { NoAnswer } from '../no-answer.ts';
import { receiveBody, type Gate } from '../receive-body.ts';
import { readScope } from '../verify-signature.ts';
import { sample, type Distribution } from './distribution.ts';
import type { Place, Scene } from './fault-table.ts';
import type { Hostility, Links } from './hostility.ts';
import type { Draw } from './seeded-draw.ts';
import type { Strike } from './strikes.ts';

/** One request and what it runs into. */
export interface PassageParties {
  readonly hostility: Hostility;
  readonly incoming: Incoming;
  readonly response: ServerResponse;
  readonly operation: string;
  readonly isFirstOfConnection: boolean;
  readonly draw: Draw;
  readonly strike: Strike | undefined;
}

const BODY_PLACES: ReadonlySet<Place> = new Set(['before-body', 'in-body']);
/** Bytes of an answer that go out at a time when the path is narrow. */
const SLICE_SIZE = 16_384;
const NOTHING = Buffer.alloc(0);

/**
 * The way of one request through a hostile service, place by place. Whatever is to go wrong, by script or by chance, by
 * quota or by the state of the path, goes wrong in here; the exchange only says where the request is.
 */
export class Passage {
  readonly #parties: PassageParties;
  readonly #gone = new AbortController();
  readonly #links: Links | undefined;
  #strike: Strike | undefined;
  #fault: string | undefined;
  /** What struck while the body was read; it ends the request at the next place. */
  #stopped: unknown;
  #bodyEndMs = 0;
  #isThrottled = false;

  constructor(parties: PassageParties) {
    this.#parties = parties;
    this.#strike = parties.strike;
    this.#links = parties.hostility.linksOf(parties.incoming.request.socket);
    onceDone(parties.response, () => this.#gone.abort());
  }

  /** The name of the fault that has struck, or will while the answer leaves. */
  get fault(): string | undefined {
    return this.#fault ?? (this.losesAnswer ? this.#strike?.name : undefined);
  }

  /** Whether the answer will not arrive whole. */
  get losesAnswer(): boolean {
    return this.#strike?.place === 'in-answer';
  }

  /**
   * Lets happen what happens at a place. Resolves when the request may go on.
   * @throws {Refusal} the error answer to give.
   * @throws {NoAnswer} when there will be none.
   */
  async at(place: Place, found: Pick<Scene, 'bytes' | 'headers'> = {}): Promise<void> {
    if (place === 'before-body') await this.#arrive();
    if (place === 'after-body') {
      this.#bodyEndMs = this.#parties.hostility.now();
      if (this.#stopped !== undefined) throw this.#stopped as Error;
    }
    if (place === 'operation') this.#charge('after-body');
    // A block that waits for its answer holds no buffer any more; others have none before they are answered.
    const waitsAt = carriesBlock(this.#parties.incoming) ? 'before-answer' : 'operation';
    if (place === waitsAt && !this.#isThrottled) await this.#spendLatency();
    if (place === 'before-answer') await this.#leave();
    await this.#strikeAt(place, found);
  }

  /** What the bytes of the body go through. */
  readonly gate: Gate = (receivedSize, chunkSize) => {
    const { signal } = this.#gone;
    const waits = [
      this.#parties.hostility.thawed(signal),
      this.#parties.hostility.links.up.pass(chunkSize, signal),
      this.#links?.up.pass(chunkSize, signal),
    ].filter((wait) => wait !== undefined);
    const isHalf =
      receivedSize >= Number(this.#parties.incoming.request.headers['content-length']) / 2;
    const isStruck = isHalf && this.#strike?.place === 'in-body';
    if (waits.length === 0 && !isStruck) return undefined;
    return Promise.all(waits)
      .then(() => (isStruck ? this.#strikeAt('in-body', {}) : undefined))
      .then(
        () => true,
        (error: unknown) => {
          this.#stopped = error;
          return false;
        },
      );
  };

  /**
   * Sends the body of an answer whose head is written, at the pace of the path. A body of the request that nobody has
   * read is read to its end first, so that the client gets to see the answer.
   * @throws {NoAnswer} when the answer is cut.
   */
  async send({ body }: Answer): Promise<void> {
    const { response, incoming, hostility } = this.#parties;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const half = Math.floor(bytes.length / 2);
    // Node forgets the callbacks of an answer whose turn never comes.
    const gone = new Promise<void>((resolve) => onceDone(response, resolve));
    for (let offset = 0; offset < bytes.length && !this.#gone.signal.aborted;) {
      if (offset >= half) await this.#strikeAt('in-answer', {});
      const end = Math.min(offset + SLICE_SIZE, offset < half ? half : bytes.length);
      const slice = bytes.subarray(offset, end);
      await hostility.links.down.pass(slice.length, this.#gone.signal);
      await this.#links?.down.pass(slice.length, this.#gone.signal);
      const written = new Promise<void>((resolve) => response.write(slice, () => resolve()));
      await Promise.race([written, gone]);
      offset = end;
    }
    if (!incoming.request.complete) await receiveBody(incoming.request, NOTHING, this.gate);
    response.end();
  }

  async #arrive(): Promise<void> {
    const { hostility, isFirstOfConnection } = this.#parties;
    await this.#thaw();
    const rttMs = hostility.conditions?.path?.rttMs ?? 0;
    await this.#wait(isFirstOfConnection ? rttMs * 1.5 : rttMs / 2);
    this.#charge('early');
  }

  async #leave(): Promise<void> {
    await this.#thaw();
    await this.#wait((this.#parties.hostility.conditions?.path?.rttMs ?? 0) / 2);
  }

  /** @throws {Refusal} when a quota is used up and this is the time to say so. */
  #charge(when: 'early' | 'after-body'): void {
    const { hostility, incoming, operation } = this.#parties;
    const quotas = hostility.conditions?.quotas;
    if (quotas === undefined || (quotas.refuse ?? 'after-body') !== when) return;
    const region = readScope(incoming.request.headers.authorization)?.region ?? '';
    const { snapshotId } = subjectOf(incoming);
    try {
      hostility.quotas.charge(quotas, { operation, region, snapshotId }, hostility.now());
    } catch (error) {
      this.#isThrottled = true;
      this.#strike = undefined;
      throw error;
    }
  }

  async #spendLatency(): Promise<void> {
    const { hostility, operation, draw } = this.#parties;
    const latency: Readonly<Record<string, Distribution>> = hostility.conditions?.latency ?? {};
    const distribution = latency[operation] ?? latency.default;
    if (distribution === undefined) return;
    const spentMs = hostility.now() - this.#bodyEndMs;
    await this.#wait(sample(distribution, draw) - spentMs);
  }

  /** A fault that missed its place, as a request without a body has no half of it, strikes after the body. */
  async #strikeAt(place: Place, found: Pick<Scene, 'bytes' | 'headers'>): Promise<void> {
    const strike = this.#strike;
    if (strike === undefined) return;
    const isMissed = place === 'after-body' && BODY_PLACES.has(strike.place);
    if (strike.place !== place && !isMissed) return;
    this.#strike = undefined;
    this.#fault = strike.name;
    const { incoming } = this.#parties;
    await strike.strike({
      ...found,
      incoming,
      forMs: strike.forMs,
      wait: (ms) => this.#wait(ms),
    });
  }

  async #thaw(): Promise<void> {
    await this.#parties.hostility.thawed(this.#gone.signal);
    this.#checkGone();
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) {
      await delay(ms, undefined, { signal: this.#gone.signal }).catch(() => undefined);
    }
    this.#checkGone();
  }

  #checkGone(): void {
    if (this.#gone.signal.aborted) throw new NoAnswer({ isStall: false });
  }
}
