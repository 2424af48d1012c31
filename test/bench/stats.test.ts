import { expect, test } from 'vitest';

interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}
interface Stats {
  readonly spreadOf: (samples: readonly number[]) => Spread;
  readonly ratioOf: (ours: readonly number[], theirs: readonly number[]) => Spread;
}

const { spreadOf, ratioOf } = (await import(
  new URL('../../bench/stats.js', import.meta.url).href
)) as Stats;

test('the median and the quartiles, whatever the order of the samples', () => {
  expect(spreadOf([5, 1, 4, 2, 3])).toEqual({ median: 3, low: 2, high: 4 });
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1.75, high: 3.25 });
  expect(spreadOf([7])).toEqual({ median: 7, low: 7, high: 7 });
});

test('one wild sample moves neither the median nor the quartiles', () => {
  expect(spreadOf([1, 2, 3, 4, 1000])).toEqual(spreadOf([1, 2, 3, 4, 5]));
});

test('ratios are of the same round, so that a slow round of both is no difference', () => {
  expect(ratioOf([2, 4, 200], [1, 2, 100])).toEqual({ median: 2, low: 2, high: 2 });
});

test('no samples, or rounds that do not match, are refused', () => {
  expect(() => spreadOf([])).toThrow(RangeError);
  expect(() => ratioOf([1, 2], [1])).toThrow(RangeError);
});
