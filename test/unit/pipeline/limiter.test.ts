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
