import {
  ServiceError,
  ThrottleError,
  type RetryClass,
  type ServiceErrorFields,
} from '../base/errors.ts';
import { adviceFor } from './advice.ts';
import {
  isCredentialExpiry,
  isSignatureRefusal,
  isTimeRefusal,
  type ErrorAnswer,
} from './error-answer.ts';

/** Turns an error answer into the typed error that says what happened and whether trying again may help. */
export function toServiceError(answer: ErrorAnswer): ServiceError {
  const fields: ServiceErrorFields = { ...answer };
  const message = `${describe(answer)}: ${answer.serviceMessage || 'no reason given'}`;
  const scope = throttleScope(answer);
  if (scope !== undefined) return new ThrottleError(message, scope, fields);
  const advice = adviceFor(answer);
  // One sentence: what was refused, in the service's words why, and what can be done.
  const sentence = advice === undefined ? message : `${message.replace(/[.\s]+$/, '')}; ${advice}`;
  return new ServiceError(isAccess(answer) ? 'ERR_EBS_ACCESS' : 'ERR_EBS_SERVICE', sentence, {
    ...fields,
    advice,
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
  if (isCredentialExpiry(serviceCode)) return 'credentials';
  if (isTimeRefusal(answer)) return 'clock';
  if (answer.isClockCorrected === true) return 'clock';
  if (isSignatureRefusal(answer)) {
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
