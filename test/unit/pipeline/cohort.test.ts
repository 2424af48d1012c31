import { describe, expect, test } from 'vitest';
import { Cohort } from '../../../src/pipeline/cohort.ts';

const answer = (latencyMs: number) => ({ latencyMs, inFlight: 5, isBodyBound: latencyMs > 100 });

function started(size: number): Cohort {
  const cohort = new Cohort(size);
  for (let member = 0; member < size; member += 1) cohort.start();
  return cohort;
}

describe('Cohort', () => {
  test('is ripe when full and three quarters have answered', () => {
    const cohort = started(8);
    for (let i = 0; i < 5; i += 1) cohort.answer(answer(10));
    expect(cohort.isRipe).toBe(false);
    cohort.answer(answer(10));
    expect(cohort.isRipe).toBe(true);
  });

  test('counts those that have not answered as slow', () => {
    const cohort = started(8);
    for (const latencyMs of [10, 20, 30, 40, 50, 60]) cohort.answer(answer(latencyMs));
    expect(cohort.summary().medianMs).toBe(50);
  });

  test('leaves out those that ended without a latency', () => {
    const cohort = started(8);
    for (let i = 0; i < 4; i += 1) cohort.drop();
    for (const latencyMs of [10, 20, 200]) cohort.answer(answer(latencyMs));
    expect(cohort.isRipe).toBe(true);
    expect(cohort.summary()).toMatchObject({ medianMs: 200, size: 4, isBodyBound: false });
  });

  test('is never judged when nothing is left of it', () => {
    const cohort = started(2);
    cohort.drop();
    cohort.drop();
    expect(cohort.isRipe).toBe(false);
  });
});
