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
const CREDENTIALS_FAILURES_MAX = 2;
const CHECKSUM_FAILURES_MAX = 3;

const DELAY_BASE_MS = 100;
/**
 * Longest pause by cause. Time heals what is overloaded; an answer that will come within a minute or two is asked for
 * more often; and a cause that has been corrected, or cannot be healed by time, is looked at again at once.
 */
const DELAY_MAX_MS: Readonly<Record<Exclude<RetryClass, 'never'>, number>> = {
  transient: 20_000,
  throttle: 20_000,
  visibility: 3_000,
  clock: 200,
  credentials: 0,
  checksum: 200,
};

/**
 * Milliseconds to wait before the next attempt, or undefined when the failure is final.
 * Full jitter: a random part of a ceiling that doubles (adaptive-concurrency law, retries).
 */
export function retryDelayMs(failed: FailedAttempt, random: Random): number | undefined {
  const { retryClass, failures } = failed;
  if (retryClass === 'never' || isFinal(failed)) return undefined;
  return random() * Math.min(DELAY_MAX_MS[retryClass], DELAY_BASE_MS * 2 ** failures);
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
    case 'credentials':
      return failures > CREDENTIALS_FAILURES_MAX;
    case 'checksum':
      return failures > CHECKSUM_FAILURES_MAX;
  }
}
