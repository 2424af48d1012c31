import type { Random } from '../base/clock.ts';
import type { RetryClass } from '../base/errors.ts';

/** What the schedule knows of a call when an attempt has failed. */
export interface FailedAttempt {
  readonly retryClass: RetryClass;
  /** Failures of this class so far in this call, this one included. */
  readonly failures: number;
  /** Milliseconds since the first failure of the call. */
  readonly sinceFirstFailureMs: number;
  /** Milliseconds for which "not found" may still mean "not yet known everywhere". */
  readonly visibilityLeftMs: number;
}

/** Failures and milliseconds that must both be spent before a transient failure is final. */
const TRANSIENT_FAILURES_MAX = 8;
const TRANSIENT_MS_MAX = 300_000;

/** Failures after which a cause that was corrected, but came back, is final. */
const CLOCK_FAILURES_MAX = 2;
const CHECKSUM_FAILURES_MAX = 3;

const DELAY_BASE_MS = 100;
const DELAY_MAX_MS = 20_000;
/** An answer that will come within a minute or two is asked for more often. */
const VISIBILITY_DELAY_MAX_MS = 3_000;

/**
 * Milliseconds to wait before the next attempt, or undefined when the failure is final.
 * Full jitter: a random part of a ceiling that doubles (adaptive-concurrency law, retries).
 */
export function retryDelayMs(failed: FailedAttempt, random: Random): number | undefined {
  if (isFinal(failed)) return undefined;
  const ceiling = failed.retryClass === 'visibility' ? VISIBILITY_DELAY_MAX_MS : DELAY_MAX_MS;
  return random() * Math.min(ceiling, DELAY_BASE_MS * 2 ** failed.failures);
}

function isFinal(failed: FailedAttempt): boolean {
  const { retryClass, failures, sinceFirstFailureMs, visibilityLeftMs } = failed;
  switch (retryClass) {
    case 'never':
      return true;
    case 'throttle':
      return false;
    case 'transient':
      return failures >= TRANSIENT_FAILURES_MAX && sinceFirstFailureMs >= TRANSIENT_MS_MAX;
    case 'visibility':
      return visibilityLeftMs <= 0;
    case 'clock':
      return failures > CLOCK_FAILURES_MAX;
    case 'checksum':
      return failures > CHECKSUM_FAILURES_MAX;
  }
}
