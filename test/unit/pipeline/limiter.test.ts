import { expect, test } from 'vitest';
import { Limiter } from '../../../src/pipeline/limiter.ts';

test('keeps the time under each brake, the present one included', () => {
  const limiter = new Limiter(0);
  limiter.enter('window', 100);
  limiter.enter('memory', 250);
  limiter.enter('window', 300);
  expect(limiter.brake).toBe('window');
  expect(limiter.spentMs('source', 1000)).toBe(100);
  expect(limiter.spentMs('window', 1000)).toBe(850);
  expect(limiter.spentMs('memory', 1000)).toBe(50);
  expect(limiter.spentMs('cpu', 1000)).toBe(0);
});

test('tells what has kept it lately, not what flickers between two blocks', () => {
  const limiter = new Limiter(0);
  expect(limiter.lately(0)).toBe('source');
  for (let nowMs = 0; nowMs < 5000; nowMs += 10) {
    limiter.enter('window', nowMs);
    limiter.enter('source', nowMs + 8);
  }
  expect(limiter.brake).toBe('source');
  expect(limiter.lately(5000)).toBe('window');
  for (let nowMs = 5000; nowMs < 7000; nowMs += 10) limiter.enter('user-cap', nowMs);
  expect(limiter.lately(7000)).toBe('user-cap');
  expect(limiter.allSpentMs(7000)).toEqual({ window: 4000, source: 1000, 'user-cap': 2000 });
});
