import { describe, expect, test } from 'vitest';
import { Gate, type Admission } from '../../../src/pipeline/gate.ts';
import { TokenBucket } from '../../../src/pipeline/token-bucket.ts';
import { FixedWindow } from '../../../src/pipeline/window.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';

function makeGate({ window = 2, requestsPerSecond = 1e6, bytesPerSecond = 0 } = {}) {
  const clock = new FakeClock();
  const bucket = (ratePerSecond: number) => new TokenBucket({ ratePerSecond, nowMs: 0 });
  const gate = new Gate({
    window: new FixedWindow(window),
    requests: bucket(requestsPerSecond),
    bytes: bytesPerSecond > 0 ? bucket(bytesPerSecond) : undefined,
    clock,
  });
  const admitted: string[] = [];
  const admissions: Admission[] = [];
  const enter = (name: string, isRetry = false, signal?: AbortSignal) =>
    gate.enter({ bytes: 1000, isRetry, signal }).then((admission) => {
      admitted.push(name);
      admissions.push(admission);
    });
  return { clock, gate, admitted, admissions, enter };
}

describe('Gate', () => {
  test('never admits more than the window', async () => {
    const { clock, gate, admitted, admissions, enter } = makeGate({ window: 2 });
    for (const name of ['a', 'b', 'c', 'd']) void enter(name);
    await clock.advance(1);
    expect(admitted).toEqual(['a', 'b']);
    expect(gate.inFlight).toBe(2);
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
    admissions[0]?.leave('failed');
    await clock.advance(1);
    expect(admitted).toEqual(['first', 'retry']);
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

  test('drops a waiter whose signal aborts, and the timer with the last one', async () => {
    const { clock, admitted, enter } = makeGate({ requestsPerSecond: 1 });
    const abort = new AbortController();
    await enter('first');
    const waiting = expect(enter('second', false, abort.signal)).rejects.toThrow(/aborted/);
    await settled();
    expect(clock.sleeping).toBe(1);
    abort.abort();
    await waiting;
    expect(clock.sleeping).toBe(0);
    expect(admitted).toEqual(['first']);
  });

  test('refuses a signal that has aborted before', async () => {
    const { enter } = makeGate();
    await expect(enter('late', false, AbortSignal.abort())).rejects.toThrow(/aborted/);
  });
});
