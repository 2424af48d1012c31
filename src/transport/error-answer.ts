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

type RefusalText = Pick<ErrorAnswer, 'serviceCode' | 'serviceMessage'>;

/** Whether the service refused a signature for its time (`SigV4`: five minutes around the service's clock). */
export function isTimeRefusal(refusal: RefusalText): boolean {
  if (refusal.serviceCode === 'RequestTimeTooSkewed') return true;
  const isTime = /signature (expired|not yet current)/i.test(refusal.serviceMessage);
  return isTime && isSignatureRefusal(refusal);
}

/** Whether the service does not agree with a signature, or with a checksum that is signed. */
export function isSignatureRefusal({ serviceCode }: Pick<RefusalText, 'serviceCode'>): boolean {
  return serviceCode === 'InvalidSignatureException' || serviceCode === 'SignatureDoesNotMatch';
}

/** Whether the service calls the credentials expired. */
export function isCredentialExpiry(serviceCode: string): boolean {
  return serviceCode.startsWith('ExpiredToken');
}
