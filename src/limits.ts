import { DEFAULT_IN_FLIGHT_BYTES, type Limits } from './options.ts';
import { validateLimits } from './options-validation.ts';

/** Caps as they hold: what memory is bounded by is always known. */
export type LimitsInForce = Limits & Required<Pick<Limits, 'maxInFlightBytes'>>;

/** The caps among the options of a job, with the default in place. */
export function limitsOf({
  maxInFlightBytes = DEFAULT_IN_FLIGHT_BYTES,
  maxRequestsPerSecond,
  maxBytesPerSecond,
}: Limits): LimitsInForce {
  return Object.freeze({
    maxInFlightBytes,
    ...(maxRequestsPerSecond === undefined ? {} : { maxRequestsPerSecond }),
    ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
  });
}

/**
 * As {@link limitsOf}, for caps assigned to a job under way.
 * @throws TypeError or RangeError naming the member that is wrong.
 */
export function checkedLimits(limits: Limits): LimitsInForce {
  validateLimits(limits);
  return limitsOf(limits);
}
