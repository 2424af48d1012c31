import { abortError, ServiceError, SnapshotError, TransportError } from '../base/errors.ts';
import { toServiceError } from './classify.ts';
import { ProxyRefusal } from './proxy.ts';
import type { Operation } from './transport.ts';
import { NOT_JSON } from './wire.ts';

/** What an error says about the call that failed. */
export interface CallFacts {
  readonly operation: Operation;
  readonly snapshotId?: string;
  readonly blockIndex?: number;
  readonly signal: AbortSignal | undefined;
}

/** What the SDK throws, in any of its shapes: an answer of the service, a failed socket, an abort, a missing setting. */
export interface SdkFailure {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly Reason?: string;
  readonly $metadata?: {
    readonly httpStatusCode?: number;
    readonly requestId?: string;
    readonly clockSkewCorrected?: boolean;
  };
  readonly $response?: { readonly statusCode?: number };
}

/** Turns whatever an attempt failed with into the typed error that says so. */
export function toTypedError(error: unknown, facts: CallFacts): Error {
  const { operation, snapshotId, blockIndex, signal } = facts;
  if (error instanceof SnapshotError) return error;
  const failure = error as SdkFailure;
  if (signal?.aborted === true || failure.name === 'AbortError') return abortError(signal);
  const statusCode = statusOf(failure);
  if (statusCode !== undefined && statusCode >= 300) {
    return toServiceError({
      operation,
      statusCode,
      ...wordsOf(failure),
      reason: failure.Reason,
      requestId: failure.$metadata?.requestId,
      snapshotId,
      blockIndex,
      cause: error,
      isClockCorrected: failure.$metadata?.clockSkewCorrected === true,
    });
  }
  const block = blockIndex === undefined ? '' : ` of block ${blockIndex}`;
  const text = failure.message ?? String(error);
  if (error instanceof ProxyRefusal) {
    const message = `${operation}${block} could not be sent: ${text}`;
    return new SnapshotError('ERR_EBS_PROXY', message, { snapshotId, blockIndex, cause: error });
  }
  if (isConfiguration(failure)) {
    return new ServiceError('ERR_EBS_ACCESS', `${operation} could not be sent: ${text}`, {
      snapshotId,
      cause: error,
    });
  }
  const code = failure.code === undefined ? '' : ` (${failure.code})`;
  return new TransportError(`${operation}${block} got no answer${code}: ${text}`, {
    snapshotId,
    blockIndex,
    cause: error,
  });
}

/** The status of an answer that the SDK throws; undefined when there was none. */
export function statusOf({ $metadata, $response }: SdkFailure): number | undefined {
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Type and text of a refusal; where the answer has none, or is not JSON, the SDK puts words of its own in. */
function wordsOf(failure: SdkFailure): { serviceCode: string; serviceMessage: string } {
  const { name = '', message = '' } = failure;
  if (name === 'SyntaxError') return { serviceCode: 'UnknownError', serviceMessage: NOT_JSON };
  return {
    serviceCode: name === '' || name === 'Unknown' ? 'UnknownError' : name,
    serviceMessage: message === 'UnknownError' ? '' : message,
  };
}

/** No credentials, no region, or an endpoint that cannot be built: trying again cannot help. */
function isConfiguration({ name = '', message = '' }: SdkFailure): boolean {
  return (
    /^(CredentialsProviderError|TokenProviderError|EndpointError)$/.test(name) ||
    /Region is missing|Could not load credentials|Resolved credential object is not valid/.test(
      message,
    )
  );
}
