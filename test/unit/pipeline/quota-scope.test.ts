import { describe, expect, test } from 'vitest';
import { QuotaScope, type Send } from '../../../src/pipeline/quota-scope.ts';

const SETTLE_MS = 100;

/** Sends as fast as the scope lets for `ms`, from `nowMs` on; returns the sends. */
function sendFor(scope: QuotaScope, nowMs: number, ms: number): Send[] {
  const sends: Send[] = [];
  for (let at = nowMs; at < nowMs + ms; at += 1) {
    while (scope.waitMs(at) === 0) sends.push(scope.take(at));
  }
  return sends;
}

describe('QuotaScope', () => {
  test('begins at the rate that it is given', () => {
    const scope = new QuotaScope({ ratePerSecond: 1000, nowMs: 0 });
    const sends = sendFor(scope, 0, 1000);
    expect(sends.length).toBeGreaterThan(980);
    expect(sends.length).toBeLessThan(1030);
  });

  test('takes forty refusals at one time for one over-run, and cuts once', () => {
    const scope = new QuotaScope({ ratePerSecond: 1000, nowMs: 0 });
    const sends = sendFor(scope, 0, 200);
    for (const send of sends.slice(-140, -100)) scope.throttled(send, SETTLE_MS, 210);
    const afterOne = scope.ratePerSecond;
    expect(afterOne).toBeLessThan(1000);
    for (const send of sends.slice(-100)) scope.throttled(send, SETTLE_MS, 220);
    expect(scope.ratePerSecond).toBe(afterOne);
  });

  test.each([800, 500, 300])(
    'finds a quota of %i from refusals that come before successes',
    (q) => {
      const scope = new QuotaScope({ ratePerSecond: 1000, nowMs: 0 });
      let tokens = 0;
      const refused: Send[] = [];
      for (let at = 0; at < 1000; at += 1) {
        tokens = Math.min(10, tokens + q / 1000);
        for (const send of refused.splice(0)) scope.throttled(send, SETTLE_MS, at);
        while (scope.waitMs(at) === 0) {
          const send = scope.take(at);
          if (tokens >= 1) tokens -= 1;
          else refused.push(send);
        }
      }
      expect(scope.ratePerSecond).toBeGreaterThan(q * 0.88);
      expect(scope.ratePerSecond).toBeLessThan(q * 1.05);
    },
  );

  test('learns a rate where none is known', () => {
    const scope = new QuotaScope({ ratePerSecond: Infinity, nowMs: 0 });
    expect(scope.waitMs(0)).toBe(0);
    const sends = Array.from({ length: 200 }, (_, index) => scope.take(index * 2));
    for (const send of sends.slice(0, 100)) scope.throttled(send, SETTLE_MS, 400);
    expect(scope.ratePerSecond).toBeGreaterThan(200);
    expect(scope.ratePerSecond).toBeLessThan(700);
  });

  test('grows while its rate is used up, and only then', () => {
    const used = new QuotaScope({ ratePerSecond: 500, nowMs: 0 });
    sendFor(used, 0, 15_000);
    expect(used.ratePerSecond).toBeGreaterThan(600);
    const idle = new QuotaScope({ ratePerSecond: 500, nowMs: 0 });
    for (let at = 0; at < 15_000; at += 100) if (idle.waitMs(at) === 0) idle.take(at);
    expect(idle.ratePerSecond).toBe(500);
  });
});
