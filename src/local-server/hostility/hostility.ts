import type { Socket } from 'node:net';
import type { Lags } from '../snapshot-record.ts';
import { Link } from './link.ts';
import { Quotas } from './quotas.ts';
import { readHostility } from './read-settings.ts';
import { requireReceiveWindows } from './receive-window.ts';
import { newSeed } from './seeded-draw.ts';
import { conditionsAt, nextStepMs, type Conditions, type HostilitySettings } from './settings.ts';
import { DrawnFaults } from './strikes.ts';

/** Both directions of a path. */
export interface Links {
  readonly up: Link;
  readonly down: Link;
}

/** How the service misbehaves now: the settings, the step of their schedule, and what lasts from request to request. */
export class Hostility {
  readonly quotas = new Quotas();
  readonly drawnFaults = new DrawnFaults();
  readonly links: Links;
  readonly #connections = new WeakMap<Socket, Links>();
  readonly #now: () => number;
  #settings: HostilitySettings = {};
  #seed = newSeed();
  #conditions: Conditions | undefined;
  #sinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #thaw: (() => void)[] = [];
  readonly #watchers: ((conditions: Conditions) => void)[] = [];

  /** @param now - milliseconds of a clock that never goes back; by it quotas, bursts and the schedule go. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.links = { up: new Link(now), down: new Link(now) };
  }

  /** What is in force at this moment; undefined when the service behaves. */
  get conditions(): Conditions | undefined {
    return this.#conditions;
  }

  get seed(): number {
    return this.#seed;
  }

  /** Delays that replace the service's own. */
  get lags(): Partial<Lags> | undefined {
    return this.#conditions?.lags;
  }

  /** Milliseconds of the clock that all of this goes by. */
  now(): number {
    return this.#now();
  }

  /** Returns the settings as they were set, the seed always among them. */
  settings(): HostilitySettings {
    return { ...structuredClone(this.#settings), seed: this.#seed };
  }

  /**
   * Puts settings in the place of the former ones; `{}` ends all hostility. Requests under way feel path and frost at
   * once, the rest from their next place on. Quotas keep the tokens that are left.
   * @throws {TypeError|RangeError} see {@link readHostility}.
   * @throws {SnapshotError} see {@link requireReceiveWindows}.
   */
  set(value: unknown): void {
    const settings = readHostility(value);
    requireReceiveWindows(settings);
    this.#settings = settings;
    this.#seed = settings.seed ?? this.#seed;
    this.#sinceMs = this.#now();
    this.drawnFaults.clear();
    this.#apply();
  }

  /** Calls back now, and each time when conditions change. */
  watch(watcher: (conditions: Conditions) => void): void {
    watcher(this.#conditions ?? {});
    this.#watchers.push(watcher);
  }

  /** The links of one connection; undefined without a bandwidth of its own. */
  linksOf(socket: Socket): Links | undefined {
    const rate = this.#conditions?.path?.connectionBytesPerSecond;
    if (rate === undefined) return undefined;
    let links = this.#connections.get(socket);
    if (links === undefined) {
      links = { up: new Link(this.#now), down: new Link(this.#now) };
      this.#connections.set(socket, links);
    }
    links.up.setRate(rate);
    links.down.setRate(rate);
    return links;
  }

  /** Resolves when the service is not frozen, or `signal` is aborted; undefined when that is so now. */
  thawed(signal: AbortSignal): Promise<void> | undefined {
    if (this.#conditions?.frozen !== true || signal.aborted) return undefined;
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      this.#thaw.push(resolve);
    });
  }

  /** Stops the schedule. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #apply(): void {
    clearTimeout(this.#timer);
    const elapsedMs = this.#now() - this.#sinceMs;
    const conditions = conditionsAt(this.#settings, elapsedMs);
    const isOn = Object.values(conditions).some((value) => value !== undefined && value !== false);
    this.#conditions = isOn ? conditions : undefined;
    const { path = {}, frozen = false } = conditions;
    this.links.up.setRate(path.upBytesPerSecond ?? Infinity);
    this.links.down.setRate(path.downBytesPerSecond ?? Infinity);
    if (!frozen) for (const thaw of this.#thaw.splice(0)) thaw();
    for (const watcher of this.#watchers) watcher(conditions);
    const nextMs = nextStepMs(this.#settings, elapsedMs);
    if (nextMs === undefined) return;
    // A timer may fire a little early; what is due is decided by the clock alone, so it is set again then.
    const waitMs = Math.ceil(nextMs - elapsedMs);
    this.#timer = setTimeout(() => this.#apply(), waitMs).unref();
  }
}
