import { describe, expect, test } from 'vitest';
import { Gate, type Admission } from '../../../src/pipeline/gate.ts';
import { Governor } from '../../../src/pipeline/governor.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { FixedWindow } from '../../support/fixed-window.ts';

function makeGate({ window = 2, requestsPerSecond = 1e6, bytesPerSecond = 1e12 } = {}) {
  const clock = new FakeClock();
  const governor = new Governor({
    window: new FixedWindow(window),
    accountPerSecond: Infinity,
    snapshotPerSecond: Infinity,
    nowMs: 0,
  });
  const gate = new Gate({ governor, clock });
  const line = gate.join({
    snapshotId: 'snap-1',
    caps: { requestsPerSecond, bytesPerSecond },
    memoryBlocks: 2000,
    retriesAsleep: () => 0,
  });
  const admitted: string[] = [];
  const admissions: Admission[] = [];
  const enter = (name: string, isRetry = false, signal?: AbortSignal) =>
    gate.enter(line, { bytes: 1000, attempt: isRetry ? 2 : 1, signal }).then((admission) => {
      admitted.push(name);
      admissions.push(admission);
    });
  return { clock, gate, line, admitted, admissions, enter };
}

describe('Gate', () => {
  test('never admits more than the window', async () => {
    const { clock, line, admitted, admissions, enter } = makeGate({ window: 2 });
    for (const name of ['a', 'b', 'c', 'd']) void enter(name);
    await clock.advance(1);
    expect(admitted).toEqual(['a', 'b']);
    expect(line.inFlight).toBe(2);
    admissions[0]?.leave('ok');
    await clock.advance(1);
    expect(admitted).toEqual(['a', 'b', 'c']);
  });

  test('lets retries go before fresh blocks', async () => {
    const { clock, admitted, admissions, enter } = makeGate({ window: 1 });
    void enter('first');
    void enter('fresh');
    void enter('retry', true);
    await clock.advance(1);
    admissions[0]?.leave('reset');
    await clock.advance(1);
    expect(admitted).toEqual(['first', 'retry']);
  });

  test('lets one retry at a time go, and nothing fresh, while its job probes', async () => {
    const { clock, line, admitted, admissions, enter } = makeGate({ window: 4 });
    void enter('first');
    await clock.advance(1);
    line.isProbing = true;
    void enter('fresh');
    void enter('retry', true);
    void enter('other retry', true);
    await clock.advance(1);
    expect(admitted).toEqual(['first']);
    admissions[0]?.leave('server-error');
    await clock.advance(1);
    expect(admitted).toEqual(['first', 'retry']);
    line.isProbing = false;
    admissions[1]?.leave('ok');
    await clock.advance(1);
    expect(admitted).toEqual(['first', 'retry', 'other retry', 'fresh']);
  });

  test('paces requests to the cap', async () => {
    const { clock, admitted, enter } = makeGate({ window: 1000, requestsPerSecond: 10 });
    for (let i = 0; i < 100; i += 1) void enter(String(i));
    await clock.advance(1000);
    expect(admitted.length).toBeGreaterThanOrEqual(10);
    expect(admitted.length).toBeLessThanOrEqual(12);
  });

  test('paces bytes to the cap', async () => {
    const { clock, admitted, enter } = makeGate({ window: 1000, bytesPerSecond: 10_000 });
    for (let i = 0; i < 100; i += 1) void enter(String(i));
    await clock.advance(2000);
    expect(admitted.length).toBeGreaterThanOrEqual(20);
    expect(admitted.length).toBeLessThanOrEqual(22);
  });

  test('obeys a cap that is changed while attempts wait', async () => {
    const { clock, gate, line, admitted, enter } = makeGate({
      window: 1000,
      requestsPerSecond: 10,
    });
    for (let i = 0; i < 500; i += 1) void enter(String(i));
    await clock.advance(1000);
    const before = admitted.length;
    gate.setLimits(line, { caps: { requestsPerSecond: 100 }, memoryBlocks: 2000 });
    await clock.advance(1100);
    expect(admitted.length - before).toBeGreaterThanOrEqual(100);
    expect(admitted.length - before).toBeLessThanOrEqual(114);
  });

  test.each([
    ['raised', 0.001, 1000, 100],
    ['lifted', 0.001, undefined, 500],
    ['lowered', 1000, 0.001, 0],
  ])('obeys a cap that is %s within 100 ms', async (_, before, requestsPerSecond, expected) => {
    const { clock, gate, line, admitted, enter } = makeGate({
      window: 1000,
      requestsPerSecond: before,
    });
    for (let i = 0; i < 500; i += 1) void enter(String(i));
    await clock.advance(100);
    const already = admitted.length;
    gate.setLimits(line, { caps: { requestsPerSecond }, memoryBlocks: 2000 });
    await clock.advance(100);
    const since = admitted.length - already;
    // What the bucket holds, 20 ms, may pass beside the rate.
    expect(since).toBeGreaterThanOrEqual(Math.min(expected, 500 - already) - 1);
    expect(since).toBeLessThanOrEqual(expected + 21);
  });

  test('goes on with another job while one has no tokens', async () => {
    const { clock, gate, admitted, enter } = makeGate({ window: 1000, requestsPerSecond: 1 });
    const free = gate.join({
      snapshotId: 'snap-2',
      caps: {},
      memoryBlocks: 10,
      retriesAsleep: () => 0,
    });
    for (const name of ['a', 'b', 'c']) void enter(name);
    const request = { bytes: 1000, attempt: 1, signal: undefined };
    const others = [1, 2, 3].map(() => gate.enter(free, request));
    await clock.advance(1);
    await Promise.all(others);
    expect(admitted).toEqual(['a']);
  });

  test('drops a waiter whose signal aborts, and the timer with the last one', async () => {
    const { clock, admitted, admissions, enter } = makeGate({ requestsPerSecond: 1 });
    const abort = new AbortController();
    await enter('first');
    const waiting = expect(enter('second', false, abort.signal)).rejects.toThrow(/aborted/);
    await settled();
    // One that wakes the second, and one that looks after the first.
    expect(clock.sleeping).toBe(2);
    abort.abort();
    await waiting;
    expect(clock.sleeping).toBe(1);
    admissions[0]?.leave('ok');
    await settled();
    expect(clock.sleeping).toBe(0);
    expect(admitted).toEqual(['first']);
  });

  test('refuses a signal that has aborted before', async () => {
    const { enter } = makeGate();
    await expect(enter('late', false, AbortSignal.abort())).rejects.toThrow(/aborted/);
  });
});
