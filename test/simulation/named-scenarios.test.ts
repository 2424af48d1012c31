import { describe, expect, test } from 'vitest';
import { NAMED_SCENARIOS } from './scenarios.ts';
import { simulate, type Scenario } from './simulate.ts';

/** All of it with `npm run test:simulation`; otherwise one seed, and a transport that tells of flushes. */
const isWhole = process.env.SIMULATION === 'whole';
const SEEDS = isWhole ? [1, 2, 3] : [1];
const OBSERVED = isWhole ? [true, false] : [true];

const ATTAINED_MIN = 0.97;
const THROTTLED_MAX = 0.005;
const FAIRNESS_MIN = 0.95;

const runs = NAMED_SCENARIOS.flatMap((scenario) =>
  OBSERVED.flatMap((isObserved) => SEEDS.map((seed) => ({ ...scenario, isObserved, seed }))),
);

describe('a named path', () => {
  test.each(runs)('$name (seed $seed, observed: $isObserved)', (scenario) => {
    const result = simulate(scenario, scenario.seed);
    expect(result.attained).toBeGreaterThanOrEqual(ATTAINED_MIN);
    expect(result.throttled).toBeLessThan(THROTTLED_MAX);
    expect(result.fairness).toBeGreaterThanOrEqual(FAIRNESS_MIN);
    const inFlightMax = (scenario.isObserved ? scenario.inFlightMax : undefined) ?? Infinity;
    expect(result.inFlightMax).toBeLessThanOrEqual(inFlightMax);
    expect(result.timeouts).toBeLessThanOrEqual(scenario.timeoutsMax ?? Infinity);
  });
});

describe('a capped writer', () => {
  const ec2 = named('EC2-like');

  test('keeps to its requests a second, and uses them', () => {
    const result = simulate({ ...ec2, caps: { requestsPerSecond: 100 }, seconds: 60 }, 1);
    expect(result.acknowledged).toBeGreaterThan(100 * 58);
    expect(result.acknowledged).toBeLessThan(100 * 60.1);
  });

  test('keeps to its bytes a second, and uses them', () => {
    const bytesPerSecond = 50 * 524_288;
    const result = simulate({ ...ec2, caps: { bytesPerSecond }, seconds: 60 }, 1);
    expect(result.acknowledged).toBeGreaterThan(50 * 58);
    expect(result.acknowledged).toBeLessThan(50 * 60.1);
  });
});

function named(name: string): Scenario {
  const scenario = NAMED_SCENARIOS.find((other) => other.name === name);
  if (scenario === undefined) throw new Error(`no scenario is named ${name}`);
  return scenario;
}
