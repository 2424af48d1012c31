import { describe, expect, test } from 'vitest';
import { AdaptiveWindow } from '../../../src/pipeline/adaptive-window.ts';
import type { Outcome } from '../../../src/pipeline/window.ts';

/** Drives a window over a path that answers after `latencyMs`, each request in flight beyond `pipe` queueing. */
function drive(options: {
  readonly max?: number;
  readonly isLimiting?: boolean;
  readonly latencyMs: number;
  readonly pipe?: number;
  readonly outcome?: (number: number) => Outcome;
  readonly ms: number;
}) {
  const { max = 256, isLimiting = true, latencyMs, pipe = Infinity, outcome, ms } = options;
  let now = 0;
  const window = new AdaptiveWindow({
    max: () => max,
    isLimiting: () => isLimiting,
    limitingMs: (nowMs) => (isLimiting ? nowMs : 0),
  });
  let freeAtMs = 0;
  let number = 0;
  const inFlight: { endMs: number; end: () => void }[] = [];
  for (; now < ms; now += 1) {
    for (const attempt of inFlight.filter(({ endMs }) => endMs <= now)) {
      inFlight.splice(inFlight.indexOf(attempt), 1);
      attempt.end();
    }
    while (inFlight.length < (isLimiting ? window.limit : Math.min(3, window.limit))) {
      const attempt = window.start(now);
      freeAtMs = Math.max(now, freeAtMs) + latencyMs / pipe;
      const result = outcome?.(number) ?? 'ok';
      number += 1;
      inFlight.push({
        endMs: Math.max(now, freeAtMs) + (result === 'ok' ? latencyMs : 2),
        end: () => attempt.end(result, now),
      });
    }
  }
  return window.limit;
}

describe('AdaptiveWindow', () => {
  test('doubles each round while latency stays', () => {
    expect(drive({ latencyMs: 100, ms: 750 })).toBe(256);
  });

  test('settles between one and three times the pipe on a fixed link', () => {
    const size = drive({ latencyMs: 100, pipe: 20, ms: 30_000 });
    expect(size).toBeGreaterThanOrEqual(30);
    expect(size).toBeLessThanOrEqual(64);
  });

  test('is not moved by refusals of a quota', () => {
    expect(drive({ latencyMs: 100, outcome: () => 'throttled-account', ms: 5000 })).toBe(8);
  });

  test('is not moved by answers of 500', () => {
    expect(drive({ latencyMs: 100, outcome: () => 'server-error', ms: 5000 })).toBe(8);
  });

  test('never grows while it is not what limits', () => {
    expect(drive({ latencyMs: 100, isLimiting: false, ms: 30_000 })).toBe(8);
  });

  test('shrinks to the least when the path cuts every body', () => {
    expect(drive({ latencyMs: 100, outcome: () => 'bad-read', ms: 20_000 })).toBe(2);
  });

  test('does not shrink for one reset in fifty', () => {
    const outcome = (number: number): Outcome => (number % 50 === 0 ? 'reset' : 'ok');
    expect(drive({ latencyMs: 100, outcome, ms: 10_000 })).toBe(256);
  });

  test('never exceeds the bound, and is never 0', () => {
    expect(drive({ latencyMs: 100, max: 20, ms: 2000 })).toBe(20);
    expect(drive({ latencyMs: 100, max: 1, ms: 2000 })).toBe(1);
  });

  test.each([
    ['a queue of our own is taken for one', 5, 6],
    ['a body that TCP lets go slowly at first is not', 100, 16],
  ])('%s', (_name, connectMs, limit) => {
    const window = new AdaptiveWindow({
      max: () => 256,
      isLimiting: () => true,
      limitingMs: (nowMs) => nowMs,
    });
    const attempts = Array.from({ length: 16 }, () => window.start(0));
    for (const attempt of attempts) {
      attempt.onSocket({ isFresh: true, connectMs });
      attempt.onFirstByte(10);
      attempt.onFlushed(710);
      attempt.end('ok', 910);
    }
    expect(window.limit).toBe(limit);
  });

  test('counts latency from the first byte on a fresh connection', () => {
    const window = new AdaptiveWindow({
      max: () => 256,
      isLimiting: () => true,
      limitingMs: (nowMs) => nowMs,
    });
    for (let round = 0; round < 8; round += 1) {
      const attempts = Array.from({ length: 16 }, () => window.start(round * 1000));
      for (const attempt of attempts) {
        attempt.onSocket({ isFresh: round > 1 });
        attempt.onFirstByte(round * 1000 + (round > 1 ? 800 : 0));
        attempt.end('ok', round * 1000 + (round > 1 ? 900 : 100));
      }
    }
    // All of them took 100 ms, so growth was never given up.
    expect(window.limit).toBe(8 + 8 + 7 * 16);
  });
});
