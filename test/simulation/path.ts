import { BLOCK_SIZE } from '../../src/base/constants.ts';

/** A path to a service, and what the service and the machine allow. Amounts are blocks where nothing else is said. */
export interface Path {
  readonly linkBytesPerSecond: number;
  readonly rttMs: number;
  /** Round trips that a new connection takes: one for TCP, one more for TLS. */
  readonly connectRtts: number;
  /** Log-normal latency of the service, body and way excluded. */
  readonly latencyMs: number;
  readonly latencySigma: number;
  /** Share of answers that take an exponential time of this mean longer. */
  readonly tailShare: number;
  readonly tailMs: number;
  /** What the service works off before it queues. */
  readonly capacityPerSecond: number;
  /** Quotas that refuse, each a token bucket of this depth. */
  readonly accountPerSecond: number;
  readonly snapshotPerSecond: number;
  readonly bucketDepth: number;
  /** The service refuses a body that is longer on its way: "Failed to read block data". */
  readonly bodyMsMax: number;
  /** What others take from the account's quota. */
  readonly neighbourPerSecond: number;
  /** Shares of requests that are never answered, reset, or answered with a 500. */
  readonly stallShare: number;
  readonly resetShare: number;
  readonly errorShare: number;
  /** What each writer's source brings. */
  readonly sourcePerSecond: number;
  /** Time of the client's one thread that a request takes. */
  readonly cpuMs: number;
}

export const IDEAL_PATH: Path = {
  linkBytesPerSecond: Infinity,
  rttMs: 1,
  connectRtts: 2,
  latencyMs: 10,
  latencySigma: 0.2,
  tailShare: 0,
  tailMs: 0,
  capacityPerSecond: Infinity,
  accountPerSecond: Infinity,
  snapshotPerSecond: Infinity,
  bucketDepth: 1000,
  bodyMsMax: Infinity,
  neighbourPerSecond: 0,
  stallShare: 0,
  resetShare: 0,
  errorShare: 0,
  sourcePerSecond: Infinity,
  cpuMs: 0,
};

/** Requests that a stalled one costs its slot: about what the idle limit lets pass before it is dropped. */
const STALL_MS = 6000;

/** Who is at work on the path. */
export interface Load {
  readonly processes: number;
  /** Writers of each process, each with a snapshot of its own. */
  readonly writers: number;
  /** Blocks of memory of each writer. */
  readonly memoryBlocks: number;
}

/** Mean latency of a lone request. */
function unloadedLatencyMs(path: Path): number {
  return (
    path.rttMs +
    (1000 * BLOCK_SIZE) / path.linkBytesPerSecond +
    path.latencyMs * Math.exp(path.latencySigma ** 2 / 2) +
    path.tailShare * path.tailMs
  );
}

/**
 * Time that the law may take to find the rate of a path: 30 s, or 20 unloaded latencies where that is longer, for it
 * learns once a round. A whole number of seconds.
 */
export function searchMs(path: Path): number {
  return 1000 * Math.ceil(Math.max(30, (20 * unloadedLatencyMs(path)) / 1000));
}

/**
 * The rate in blocks a second that the best of clients could keep up: the least of what the link, the service, the
 * quotas, the sources, the client's thread and its memory allow (Little: requests in flight over their mean latency),
 * less the share of requests that the path itself fails.
 */
export function attainablePerSecond(path: Path, load: Load): number {
  const writers = load.processes * load.writers;
  const linkPerSecond = path.linkBytesPerSecond / BLOCK_SIZE;
  const meanLatencyMs = unloadedLatencyMs(path) + path.stallShare * STALL_MS;
  const sent = Math.min(
    linkPerSecond,
    path.capacityPerSecond,
    path.accountPerSecond - path.neighbourPerSecond,
    path.snapshotPerSecond * writers,
    (1000 / path.cpuMs) * load.processes,
    (1000 * load.memoryBlocks * writers) / meanLatencyMs,
  );
  const failed = path.stallShare + path.resetShare + path.errorShare;
  return Math.min(sent * (1 - failed), path.sourcePerSecond * writers);
}

/** What binds on the path is a quota, rather than anything that delays. */
export function isQuotaBound(path: Path, load: Load): boolean {
  const unlimited = { ...path, accountPerSecond: Infinity, snapshotPerSecond: Infinity };
  return attainablePerSecond(path, load) < attainablePerSecond(unlimited, load);
}
