import { expect, test } from 'vitest';
import { sample, type Distribution } from '../../../../src/local-server/hostility/distribution.ts';
import { drawFor } from '../../../../src/local-server/hostility/seeded-draw.ts';

const SEED = 20_261_124;

/** `count` samples in ascending order, each with a chance of its own. */
function samples(distribution: Distribution, count = 4000): number[] {
  const values = Array.from({ length: count }, (_, i) =>
    sample(distribution, drawFor(SEED, String(i))),
  );
  return values.sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(share * sorted.length)] ?? NaN;
}

test('a number is that many milliseconds each time', () => {
  expect(new Set(samples(250))).toEqual(new Set([250]));
});

test('uniform: all of the range, evenly', () => {
  const values = samples({ minMs: 100, maxMs: 300 });
  expect(values[0]).toBeGreaterThanOrEqual(100);
  expect(values.at(-1)).toBeLessThan(300);
  for (const share of [0.1, 0.5, 0.9]) {
    expect(Math.abs(quantile(values, share) - (100 + 200 * share))).toBeLessThan(8);
  }
});

test('log-normal: the median as given, one sigma apart where it should be', () => {
  const values = samples({ medianMs: 100, sigma: 0.5 });
  expect(Math.abs(quantile(values, 0.5) / 100 - 1)).toBeLessThan(0.05);
  expect(Math.abs(quantile(values, 0.8413) / (100 * Math.exp(0.5)) - 1)).toBeLessThan(0.06);
  expect(Math.abs(quantile(values, 0.1587) / (100 * Math.exp(-0.5)) - 1)).toBeLessThan(0.06);
});

test('a heavy tail: as often as asked, Pareto, and never above its bound', () => {
  const tail = { probability: 0.1, minMs: 1000, alpha: 1.5, maxMs: 60_000 };
  const values = samples({ minMs: 0, maxMs: 10, tail });
  const slow = values.filter((ms) => ms >= 1000);
  expect(Math.abs(slow.length / values.length - 0.1)).toBeLessThan(0.015);
  expect(values.filter((ms) => ms > 10 && ms < 1000)).toEqual([]);
  expect(Math.abs(quantile(slow, 0.5) / (1000 * 2 ** (1 / 1.5)) - 1)).toBeLessThan(0.15);
  expect(slow.at(-1)).toBeLessThanOrEqual(60_000);
  expect(
    samples({ minMs: 0, maxMs: 1, tail: { ...tail, probability: 1, alpha: 0.1 } }).at(-1),
  ).toBe(60_000);
});
