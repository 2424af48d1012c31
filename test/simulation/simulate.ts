import type { Caps } from '../../src/pipeline/user-caps.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { EventQueue } from './event-queue.ts';
import {
  attainablePerSecond,
  IDEAL_PATH,
  isQuotaBound,
  searchMs,
  type Load,
  type Path,
} from './path.ts';
import { RunRecord, type Span } from './run-record.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { SimulatedService } from './simulated-service.ts';

/** Time after a change of the path that the law may take to find the new rate; see {@link searchMs} for the start. */
const SETTLE_MS = 20_000;

/** A run: a path, what happens to it, and who is at work on it. */
export interface Scenario extends Partial<Load> {
  readonly name: string;
  readonly path: Partial<Path>;
  readonly seconds: number;
  readonly changes?: readonly { readonly atSeconds: number; readonly path: Partial<Path> }[];
  readonly caps?: Caps;
  readonly isObserved?: boolean;
  /** What the client takes the quotas for when it starts. Default: the documented 1000. */
  readonly quotaPerSecond?: number;
}

/** What a run came to; shares are of the steady part. */
export interface RunResult {
  /** Acknowledged, as a share of what was attainable. */
  readonly attained: number;
  /** Requests refused by a quota, as a share of those sent, while a quota binds. */
  readonly throttled: number;
  /** Jain's index of what the writers got: 1 when all got the same. */
  readonly fairness: number;
  readonly inFlightMax: number;
  readonly timeouts: number;
  /** Blocks acknowledged, all in all. */
  readonly acknowledged: number;
  readonly record: RunRecord;
  readonly processes: SimulatedProcess[];
}

interface Stretch extends Span {
  readonly path: Path;
}

/**
 * Runs a scenario in virtual time. Steady is all but the search at the start, {@link searchMs}, and the 20 s after each
 * change of the path; attainable is what {@link attainablePerSecond} says of the path at that time.
 */
export function simulate(scenario: Scenario, seed: number): RunResult {
  const load = { processes: 1, writers: 1, memoryBlocks: 256, ...scenario };
  const random = seededRandom(seed);
  const events = new EventQueue();
  const stretches = stretchesOf(scenario);
  const service = new SimulatedService(events, pathOf(scenario), random);
  const record = new RunRecord();
  const processes: SimulatedProcess[] = [];
  for (let index = 0; index < load.processes; index += 1) {
    const { caps = {}, isObserved = true, quotaPerSecond = 1000 } = scenario;
    const options = { ...load, caps, isObserved, quotaPerSecond, name: `snap-${index}` };
    processes.push(new SimulatedProcess({ events, service, record, random }, options));
  }
  for (const { path, toMs } of stretches) {
    service.path = path;
    events.runUntil(toMs);
  }
  return { ...measure(record, stretches, load), record, processes };
}

function pathOf({ path }: Scenario): Path {
  return { ...IDEAL_PATH, ...path };
}

function stretchesOf(scenario: Scenario): Stretch[] {
  const { changes = [], seconds } = scenario;
  const stretches: Stretch[] = [];
  let current = pathOf(scenario);
  let fromMs = 0;
  for (const change of [...changes, { atSeconds: seconds, path: {} }]) {
    const toMs = change.atSeconds * 1000;
    stretches.push({ path: current, fromMs, toMs });
    current = { ...current, ...change.path };
    fromMs = toMs;
  }
  return stretches;
}

function measure(
  record: RunRecord,
  stretches: readonly Stretch[],
  load: Load,
): Omit<RunResult, 'record' | 'processes'> {
  const steady = stretches
    .map((stretch, index) => ({
      ...stretch,
      fromMs: stretch.fromMs + (index === 0 ? searchMs(stretch.path) : SETTLE_MS),
    }))
    .filter(({ fromMs, toMs }) => fromMs < toMs);
  const total = (of: (stretch: Stretch) => number): number =>
    steady.reduce((sum, stretch) => sum + of(stretch), 0);
  const attainable = total(
    ({ path, fromMs, toMs }) => (attainablePerSecond(path, load) * (toMs - fromMs)) / 1000,
  );
  const bound = steady.filter(({ path }) => isQuotaBound(path, load));
  const sent = bound.reduce((sum, span) => sum + record.sentIn(span), 0);
  const throttled = bound.reduce((sum, span) => sum + record.throttledIn(span), 0);
  const shares = record.writers.map((id) => total((span) => record.acknowledgedIn(span, id)));
  const whole = { fromMs: 0, toMs: stretches[stretches.length - 1]?.toMs ?? 0 };
  return {
    attained: total((span) => record.acknowledgedIn(span)) / attainable,
    throttled: sent === 0 ? 0 : throttled / sent,
    fairness: jain(shares),
    inFlightMax: record.inFlightMax(whole),
    timeouts: record.outcomes.get('timeout') ?? 0,
    acknowledged: record.acknowledgedIn(whole),
  };
}

function jain(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0);
  const squares = shares.reduce((a, b) => a + b * b, 0);
  return squares === 0 ? 0 : sum ** 2 / (shares.length * squares);
}
