import { expect, test } from 'vitest';
import { History } from '../../../src/local-server/history.ts';

test('keeps the last records in the order in which they ended, and counts all', () => {
  const history = new History(3);
  for (let i = 0; i < 5; i += 1) {
    history.close(history.open(), { operation: 'PutSnapshotBlock', blockIndex: i, status: 201 });
  }
  expect(history.records().map(({ blockIndex }) => blockIndex)).toEqual([2, 3, 4]);
  expect(history.counters()).toMatchObject({
    requests: 5,
    byOperation: { PutSnapshotBlock: 5 },
    byStatus: { 201: 5 },
    forgotten: 2,
  });
});

test('knows how many were in flight', () => {
  const history = new History(10);
  const open = [history.open(), history.open(), history.open()];
  expect(open.map(({ concurrency }) => concurrency)).toEqual([1, 2, 3]);
  expect(history.counters()).toMatchObject({ inFlight: 3, inFlightMax: 3 });
  for (const request of open) history.close(request, { operation: 'Unknown', status: 0 });
  expect(history.counters()).toMatchObject({ inFlight: 0, inFlightMax: 3 });
  const times = history.records().map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs);
  expect(times.every((ms) => ms >= 0)).toBe(true);
});

test('a limit of 0 keeps nothing', () => {
  const history = new History(0);
  history.close(history.open(), { operation: 'Unknown', status: 404 });
  expect(history.records()).toEqual([]);
  expect(history.counters()).toMatchObject({ requests: 1, forgotten: 1 });
});
