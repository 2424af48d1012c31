import { seededRandom } from '../support/seeded-random.ts';
import { attainablePerSecond, IDEAL_PATH, searchMs, type Path } from './path.ts';
import type { Scenario } from './simulate.ts';

const MIB = 1024 * 1024;
/** Of the steady part. */
const SECONDS_MIN = 60;
const SECONDS_MAX = 600;
/** Blocks that a run should bring, so that one more or less in flight at its end does not count. */
const BLOCKS = 2000;

/** A static path drawn from a seed, from 0.5 MiB/s over a satellite to a rack of its own. */
export function randomScenario(seed: number): Scenario {
  const random = seededRandom(seed * 7919);
  const between = (low: number, high: number): number => low * (high / low) ** random();
  const oneIn = (count: number): boolean => random() < 1 / count;
  const latencyMs = between(3, 3000);
  const isFaulty = oneIn(3);
  const path: Path = {
    ...IDEAL_PATH,
    linkBytesPerSecond: between(0.5, 1500) * MIB,
    rttMs: between(0.3, 300),
    latencyMs,
    latencySigma: 0.05 + 0.75 * random(),
    tailShare: 0.02 * random(),
    tailMs: latencyMs * between(3, 20),
    capacityPerSecond: oneIn(3) ? between(10, 2000) : Infinity,
    snapshotPerSecond: oneIn(3) ? between(50, 2000) : Infinity,
    accountPerSecond: oneIn(3) ? between(50, 2000) : Infinity,
    bucketDepth: between(10, 1000),
    stallShare: isFaulty ? 0.003 * random() : 0,
    resetShare: isFaulty ? 0.01 * random() : 0,
    errorShare: isFaulty ? 0.01 * random() : 0,
    sourcePerSecond: oneIn(5) ? between(5, 1000) : Infinity,
  };
  const load = {
    processes: oneIn(4) ? 2 : 1,
    writers: oneIn(4) ? 3 : 1,
    memoryBlocks: oneIn(2) ? 256 : 1024,
  };
  const seconds = BLOCKS / attainablePerSecond(path, load);
  return {
    name: `seed ${seed}`,
    path,
    ...load,
    isObserved: oneIn(2),
    // Where no quota is documented the client starts without one.
    quotaPerSecond: oneIn(2) ? 1000 : Infinity,
    seconds:
      searchMs(path) / 1000 + Math.ceil(Math.min(SECONDS_MAX, Math.max(SECONDS_MIN, seconds))),
  };
}
