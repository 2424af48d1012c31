import { expect, test } from 'vitest';
import { hedgeAgeMs, needsHedge } from '../../../src/pipeline/tail-hedge.ts';

const OLD = {
  ageMs: 400,
  isHedged: false,
  isTail: true,
  hasRoom: true,
  medianMs: 100,
  slowestMs: 1000,
};

test('sends a second copy of an old request at the tail, once, if the window has room', () => {
  expect(needsHedge(OLD)).toBe(true);
  expect(needsHedge({ ...OLD, isTail: false })).toBe(false);
  expect(needsHedge({ ...OLD, isHedged: true })).toBe(false);
  expect(needsHedge({ ...OLD, hasRoom: false })).toBe(false);
  expect(needsHedge({ ...OLD, ageMs: 299 })).toBe(false);
});

test('calls old what is older than three medians, or the slowest, or 250 ms', () => {
  expect(hedgeAgeMs({ medianMs: 100, slowestMs: 1000 })).toBe(300);
  expect(hedgeAgeMs({ medianMs: 1000, slowestMs: 2000 })).toBe(2000);
  expect(hedgeAgeMs({ medianMs: 10, slowestMs: 20 })).toBe(250);
  expect(hedgeAgeMs({ medianMs: undefined, slowestMs: undefined })).toBe(Infinity);
});
