import { expect, test } from 'vitest';
import { drawFor } from '../../../../src/local-server/hostility/seeded-draw.ts';

test('the same seed, subject and word give the same number, whatever was drawn before', () => {
  const first = drawFor(7, 'PutSnapshotBlock 1 5 1');
  const reset = first('reset');
  const second = drawFor(7, 'PutSnapshotBlock 1 5 1');
  second('stall');
  expect(second('reset')).toBe(reset);
});

test.each([
  ['seed', 8, 'PutSnapshotBlock 1 5 1', 'reset'],
  ['attempt', 7, 'PutSnapshotBlock 1 5 2', 'reset'],
  ['block', 7, 'PutSnapshotBlock 1 6 1', 'reset'],
  ['word', 7, 'PutSnapshotBlock 1 5 1', 'stall'],
])('another %s, another number', (_, seed, subject, word) => {
  expect(drawFor(seed, subject)(word)).not.toBe(drawFor(7, 'PutSnapshotBlock 1 5 1')('reset'));
});

test('numbers of neighbours spread evenly', () => {
  const tenths = new Array<number>(10).fill(0);
  for (let block = 0; block < 10_000; block += 1) {
    const tenth = Math.floor(10 * drawFor(1, `PutSnapshotBlock 1 ${block} 1`)('reset'));
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  expect(Math.min(...tenths)).toBeGreaterThan(880);
  expect(Math.max(...tenths)).toBeLessThan(1120);
});
