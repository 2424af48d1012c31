import { describe, expect, test } from 'vitest';
import type { RetryClass } from '../../../src/base/errors.ts';
import { retryDelayMs } from '../../../src/pipeline/retry-schedule.ts';

const delay = (
  retryClass: RetryClass,
  { failures = 1, sinceFirstFailureMs = 0, visibilityLeftMs = 0, random = 1 } = {},
) => retryDelayMs({ retryClass, failures, sinceFirstFailureMs, visibilityLeftMs }, () => random);

describe('retryDelayMs', () => {
  test('gives up at once on what cannot change', () => {
    expect(delay('never')).toBeUndefined();
  });

  test('never gives up on throttling', () => {
    expect(delay('throttle', { failures: 1e6, sinceFirstFailureMs: 1e9 })).toBe(20_000);
  });

  test('gives up on a broken way only after eight failures and five minutes', () => {
    expect(delay('transient', { failures: 8, sinceFirstFailureMs: 299_999 })).toBeDefined();
    expect(delay('transient', { failures: 7, sinceFirstFailureMs: 600_000 })).toBeDefined();
    expect(delay('transient', { failures: 8, sinceFirstFailureMs: 300_000 })).toBeUndefined();
  });

  test('waits for visibility only inside its window', () => {
    expect(delay('visibility', { failures: 50, visibilityLeftMs: 1 })).toBe(3000);
    expect(delay('visibility', { visibilityLeftMs: 0 })).toBeUndefined();
  });

  test('tries again twice after correcting clock or credentials, three times after a refused checksum', () => {
    expect([1, 2, 3].map((failures) => delay('clock', { failures }) !== undefined)).toEqual([
      true,
      true,
      false,
    ]);
    expect([2, 3].map((failures) => delay('credentials', { failures }))).toEqual([0, undefined]);
    expect([3, 4].map((failures) => delay('checksum', { failures }) !== undefined)).toEqual([
      true,
      false,
    ]);
  });

  test('doubles the ceiling up to 20 s and takes a random part of it', () => {
    expect([1, 2, 3, 20].map((failures) => delay('transient', { failures }))).toEqual([
      200, 400, 800, 20_000,
    ]);
    expect(delay('transient', { failures: 3, random: 0.25 })).toBe(200);
  });
});
