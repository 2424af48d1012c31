import { expect, test } from 'vitest';
import {
  IntegrityError,
  ServiceError,
  ThrottleError,
  TransportError,
} from '../../../src/base/errors.ts';
import { outcomeOf } from '../../../src/pipeline/admitting.ts';

const service = (
  statusCode: number,
  retryClass: 'transient' | 'never' | 'visibility' | 'clock' | 'credentials',
) => new ServiceError('ERR_EBS_SERVICE', 'refused', { statusCode, retryClass });

test.each([
  [new ThrottleError('slow', 'snapshot'), 'throttled-snapshot'],
  [new ThrottleError('slow', 'account'), 'throttled-account'],
  [new TransportError('reset'), 'reset'],
  [service(500, 'transient'), 'server-error'],
  [service(400, 'transient'), 'bad-read'],
  [service(404, 'visibility'), 'server-error'],
  [service(403, 'clock'), 'cancelled'],
  [service(403, 'credentials'), 'cancelled'],
  [service(403, 'never'), 'fatal'],
  [new IntegrityError('differs', { retryClass: 'checksum' }), 'server-error'],
  [new Error('a bug'), 'fatal'],
])('%o ends an attempt as %s', (error, outcome) => {
  expect(outcomeOf(error, undefined)).toBe(outcome);
});

test('whatever comes after an abort is cancelled', () => {
  expect(outcomeOf(new TransportError('reset'), AbortSignal.abort())).toBe('cancelled');
});
