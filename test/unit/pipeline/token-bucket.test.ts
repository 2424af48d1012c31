import { describe, expect, test } from 'vitest';
import { TokenBucket } from '../../../src/pipeline/token-bucket.ts';

/** Runs the bucket greedily for `ms` and returns the amount it let through. */
function amountThrough(bucket: TokenBucket, amount: number, ms: number): number {
  let through = 0;
  for (let now = 0; now < ms;) {
    const wait = bucket.waitMs(now);
    if (wait > 0) {
      now += wait;
      continue;
    }
    bucket.take(amount);
    through += amount;
  }
  return through;
}

describe('TokenBucket', () => {
  test('lets requests through at its rate', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100, nowMs: 0 });
    expect(amountThrough(bucket, 1, 10_000)).toBeGreaterThanOrEqual(999);
    expect(
      amountThrough(new TokenBucket({ ratePerSecond: 100, nowMs: 0 }), 1, 10_000),
    ).toBeLessThan(1004);
  });

  test('lets amounts larger than a second of tokens through at its rate', () => {
    const bucket = new TokenBucket({ ratePerSecond: 100_000, nowMs: 0 });
    const through = amountThrough(bucket, 524_288, 100_000);
    expect(through / 100).toBeGreaterThan(95_000);
    expect(through / 100).toBeLessThan(110_000);
  });

  test('does not save up while nothing is asked of it', () => {
    const bucket = new TokenBucket({ ratePerSecond: 1000, nowMs: 0 });
    let burst = 0;
    while (bucket.waitMs(60_000) === 0) {
      bucket.take(1);
      burst += 1;
    }
    expect(burst).toBeLessThanOrEqual(21);
  });
});
