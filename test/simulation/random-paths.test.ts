/**
 * Random static paths. All seeds up to 1280 are spent. On fresh ones, each set of 120 measured once, 118, 116, 115,
 * 118, 118, 117, 120, 118 and 119 reached 97 %; the worst of the last set, 1161 to 1280, 94.9 %. Whoever tunes again must
 * measure on new seeds, and add them here.
 */
import { expect, test } from 'vitest';
import { randomScenario } from './random-path.ts';
import { simulate } from './simulate.ts';

/** The path that swung most about its aim: 84 % when a step did not wait for a round trip. */
const FIRST_SEED = 1150;
const isWhole = process.env.SIMULATION === 'whole';
const COUNT = isWhole ? 120 : 12;
/** Paths on which less than 97 % may be reached, and the least that may be reached on any. */
const MISSED_MAX = isWhole ? 3 : 0;
const ATTAINED_MIN = 0.97;
const WORST_MIN = 0.9;

test(`reaches 97 % on all but ${MISSED_MAX} of ${COUNT} random paths`, { timeout: 300_000 }, () => {
  const runs = Array.from({ length: COUNT }, (_, index) => {
    const seed = FIRST_SEED + index;
    return { seed, attained: simulate(randomScenario(seed), seed).attained };
  });
  const missed = runs.filter(({ attained }) => attained < ATTAINED_MIN);
  expect(missed.length, JSON.stringify(missed)).toBeLessThanOrEqual(MISSED_MAX);
  expect(missed.filter(({ attained }) => attained < WORST_MIN)).toEqual([]);
});
