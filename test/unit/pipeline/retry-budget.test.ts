import { describe, expect, test } from 'vitest';
import { RetryBudget } from '../../../src/pipeline/retry-budget.ts';
import type { Outcome } from '../../../src/pipeline/window.ts';

function after(outcomes: readonly Outcome[], budget = new RetryBudget()): RetryBudget {
  for (const outcome of outcomes) budget.ended(outcome);
  return budget;
}
const times = (count: number, outcome: Outcome): Outcome[] => Array<Outcome>(count).fill(outcome);

describe('RetryBudget', () => {
  test('leaves a trickle when nothing works', () => {
    expect(after(times(199, 'server-error')).limit).toBe(Infinity);
    expect(after(times(200, 'server-error')).limit).toBe(2);
  });

  test('is never spent by failures below a third, nor by refusals of a quota', () => {
    const mostly = times(1000, 'ok').flatMap((ok): Outcome[] => [ok, ok, 'reset']);
    expect(after(mostly).limit).toBe(Infinity);
    expect(after(times(1000, 'throttled-snapshot')).limit).toBe(Infinity);
  });

  test('opens with the first successes', () => {
    const budget = after(times(200, 'reset'));
    after(times(1, 'ok'), budget);
    expect(budget.limit).toBe(3.5);
    after(times(30, 'ok'), budget);
    expect(budget.limit).toBe(Infinity);
  });

  test('closes again when failure comes back while it opens', () => {
    const budget = after([...times(200, 'timeout'), 'ok', 'server-error']);
    expect(budget.limit).toBe(2);
  });
});
