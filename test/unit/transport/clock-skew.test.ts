import { describe, expect, test } from 'vitest';
import { ClockSkew } from '../../../src/transport/clock-skew.ts';

const MINUTE_MS = 60_000;

/** The Date header of a service whose clock is ahead by so much. */
function dateAhead(ms: number): string {
  return new Date(Date.now() + ms).toUTCString();
}

describe('the service’s clock', () => {
  test.each([
    ['four minutes and more are corrected', 4.1, false, true],
    ['also backwards', -4.1, false, true],
    ['less is left', 3.9, false, false],
    ['unless it is why a signature was refused', 3.9, true, true],
  ])('%s', (_name, minutes, isTimeRefused, isCorrected) => {
    const offset = { systemClockOffset: 0 };
    const clock = new ClockSkew(offset, { isCorrected: true });
    expect(clock.learn(dateAhead(minutes * MINUTE_MS), { isTimeRefused })).toBe(isCorrected);
    const expected = isCorrected ? minutes * MINUTE_MS : 0;
    // A Date has whole seconds.
    expect(Math.abs(offset.systemClockOffset - expected)).toBeLessThan(10_000);
    expect(Math.abs(clock.nowMs() - Date.now() - expected)).toBeLessThan(10_000);
  });

  test('is not learned from an answer without a Date, nor where that is turned off', () => {
    const offset = { systemClockOffset: 5 };
    for (const isCorrected of [true, false]) {
      const clock = new ClockSkew(offset, { isCorrected });
      const date = isCorrected ? undefined : dateAhead(60 * MINUTE_MS);
      expect(clock.learn(date, { isTimeRefused: true })).toBe(false);
    }
    expect(offset.systemClockOffset).toBe(5);
  });
});
