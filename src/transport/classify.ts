import {
  ServiceError,
  ThrottleError,
  type RetryClass,
  type ServiceErrorFields,
} from '../base/errors.ts';
import type { Operation } from './transport.ts';

/** An error answer of the service, whatever client received it. */
export interface ErrorAnswer {
  readonly operation: Operation;
  readonly statusCode: number;
  /** The error type, as `ValidationException`. */
  readonly serviceCode: string;
  readonly reason?: string | undefined;
  readonly serviceMessage: string;
  readonly requestId?: string | undefined;
  readonly snapshotId?: string | undefined;
  readonly blockIndex?: number | undefined;
  readonly cause?: unknown;
  /** Whether the answer's Date revealed a wrong clock, which has been corrected since. */
  readonly isClockCorrected?: boolean;
}

/** Whether the service refused a signature for its time (`SigV4`: five minutes around the service's clock). */
export function isTimeRefusal({ serviceCode, serviceMessage }: RefusalText): boolean {
  if (serviceCode === 'RequestTimeTooSkewed') return true;
  return (
    (serviceCode === 'InvalidSignatureException' || serviceCode === 'SignatureDoesNotMatch') &&
    /signature (expired|not yet current)/i.test(serviceMessage)
  );
}

/** Whether the service calls the credentials expired. */
export function isCredentialExpiry(serviceCode: string): boolean {
  return serviceCode.startsWith('ExpiredToken');
}

type RefusalText = Pick<ErrorAnswer, 'serviceCode' | 'serviceMessage'>;

/** Turns an error answer into the typed error that says what happened and whether trying again may help. */
export function toServiceError(answer: ErrorAnswer): ServiceError {
  const fields: ServiceErrorFields = { ...answer };
  const message = `${describe(answer)}: ${answer.serviceMessage || 'no reason given'}`;
  const scope = throttleScope(answer);
  if (scope !== undefined) return new ThrottleError(message, scope, fields);
  return new ServiceError(isAccess(answer) ? 'ERR_EBS_ACCESS' : 'ERR_EBS_SERVICE', message, {
    ...fields,
    retryClass: retryClass(answer),
  });
}

function describe(answer: ErrorAnswer): string {
  const block = answer.blockIndex === undefined ? '' : ` of block ${answer.blockIndex}`;
  const snapshot = answer.snapshotId === undefined ? '' : ` in ${answer.snapshotId}`;
  const what = [answer.serviceCode, answer.reason].filter(Boolean).join(' ');
  return `${answer.operation}${block}${snapshot} was refused (HTTP ${answer.statusCode} ${what})`;
}

/** Which quota refused: the two have errors of their own (user guide, error retries; the model's Reason). */
function throttleScope(answer: ErrorAnswer): 'snapshot' | 'account' | undefined {
  const { serviceCode, reason, statusCode } = answer;
  if (/^RequestThrottled?Exception$/.test(serviceCode)) {
    return reason === undefined || reason === 'RESOURCE_LEVEL_THROTTLE' ? 'snapshot' : 'account';
  }
  const isAccount =
    statusCode === 429 ||
    /^(Throttling(Exception)?|TooManyRequestsException|RequestLimitExceeded|SlowDown)$/.test(
      serviceCode,
    );
  return isAccount ? 'account' : undefined;
}

/** What may be tried again, and why; everything not named here is final. */
function retryClass(answer: ErrorAnswer): RetryClass {
  const { operation, serviceCode, reason, serviceMessage, statusCode } = answer;
  if (statusCode >= 500) return 'transient';
  if (serviceCode === 'ConcurrentLimitExceededException') return 'throttle';
  if (isCredentialExpiry(serviceCode) || isTimeRefusal(answer)) return 'clock';
  if (answer.isClockCorrected === true) return 'clock';
  if (serviceCode === 'InvalidSignatureException' || serviceCode === 'SignatureDoesNotMatch') {
    // The digest is signed as the body's hash, and the credentials were good for StartSnapshot: the body is what differs.
    return operation === 'PutSnapshotBlock' ? 'checksum' : 'never';
  }
  if (reason === 'WRITE_REQUEST_TIMEOUT' || reason === 'CONFLICTING_BLOCK_UPDATE') {
    return 'transient';
  }
  // A body that the network cut or slowed down is reported as the caller's mistake.
  if (operation === 'PutSnapshotBlock' && serviceMessage.includes('Failed to read block data')) {
    return 'transient';
  }
  if (reason === 'SNAPSHOT_NOT_FOUND') return 'visibility';
  const isParentPending =
    operation === 'StartSnapshot' && serviceMessage.includes('is not complete');
  return isParentPending ? 'visibility' : 'never';
}

function isAccess({ serviceCode, statusCode }: ErrorAnswer): boolean {
  return (
    statusCode === 401 ||
    statusCode === 403 ||
    /^(ExpiredToken|UnrecognizedClient|InvalidClientTokenId|MissingAuthentication|IncompleteSignature|AuthFailure|UnauthorizedOperation|OptInRequired)/.test(
      serviceCode,
    )
  );
}
