import { expect, test } from 'vitest';

interface Aim {
  readonly figure: string;
  readonly versus: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}
interface Verdict extends Aim {
  readonly isReached: boolean;
}
interface Aims {
  readonly judge: (comparison: object, aims: readonly Aim[]) => readonly Verdict[];
  readonly drawVerdict: (verdict: Verdict) => string;
}

const { judge, drawVerdict } = (await import(
  new URL('../../bench/aims.js', import.meta.url).href
)) as Aims;

/** Ours costs 1.5 times what the bound costs, and reaches 0.8 of its rate. */
const comparison = {
  contenders: [
    { name: 'ours', figures: { cost: [3, 6, 3], rate: [8, 4, 8] } },
    { name: 'bound', figures: { cost: [2, 4, 1], rate: [10, 5, 10] } },
  ],
};

test.each([
  [{ figure: 'cost', atMost: 1.5 }, 'cost, at most 1.50 of bound: 1.50, reached'],
  [{ figure: 'cost', atMost: 1.49 }, 'cost, at most 1.49 of bound: 1.50, missed'],
  [{ figure: 'rate', atLeast: 0.8 }, 'rate, at least 0.80 of bound: 0.80, reached'],
  [{ figure: 'rate', atLeast: 0.81 }, 'rate, at least 0.81 of bound: 0.80, missed'],
])('the median of the ratios decides: %o', (aim, expected) => {
  const verdicts = judge(comparison, [{ ...aim, versus: 'bound' }]);
  expect(verdicts.map(drawVerdict)).toEqual([expected]);
});
