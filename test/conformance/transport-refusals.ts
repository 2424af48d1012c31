import { expect } from 'vitest';
import { httpAnswer } from '../support/raw-server.ts';

const CORAL = 'http://internal.amazon.com/coral/com.amazon';
const REQUEST_ID = '11111111-2222-3333-4444-555555555555';

/** A refusal as it goes over the wire, and the error that it must become. */
export interface RefusalCase {
  readonly name: string;
  readonly answer: string;
  readonly expected: Readonly<Record<string, unknown>>;
}

/** An error answer of the service: type in a header, text in the body, each 400 closing its connection. */
function refusal(
  status: number,
  { type, body, uri = 'zeppelindataservice' }: { type: string; body: object; uri?: string },
): string {
  return httpAnswer(`${status} Refused`, JSON.stringify(body), {
    'Content-Type': 'application/json',
    'x-amzn-RequestId': REQUEST_ID,
    'x-amzn-ErrorType': `${type}:${CORAL}.${uri}/`,
    Connection: status === 400 ? 'close' : 'keep-alive',
  });
}

/** One case for each form and each class of the contract's sections 1.4, 1.5 and 8. */
export const REFUSALS: readonly RefusalCase[] = [
  {
    name: 'a service error with a Reason',
    answer: refusal(400, {
      type: 'ValidationException',
      body: {
        Message: 'Block index 2048 is beyond the volume size extent',
        Reason: 'INVALID_BLOCK',
      },
    }),
    expected: {
      name: 'ServiceError',
      code: 'ERR_EBS_SERVICE',
      statusCode: 400,
      serviceCode: 'ValidationException',
      reason: 'INVALID_BLOCK',
      serviceMessage: 'Block index 2048 is beyond the volume size extent',
      requestId: REQUEST_ID,
      retryClass: 'never',
    },
  },
  {
    name: 'a service error without one',
    answer: refusal(409, {
      type: 'ConflictException',
      body: { Message: 'stored with this token' },
    }),
    expected: {
      code: 'ERR_EBS_SERVICE',
      serviceCode: 'ConflictException',
      reason: undefined,
      serviceMessage: 'stored with this token',
      requestId: REQUEST_ID,
      retryClass: 'never',
    },
  },
  {
    name: 'a constraint error',
    answer: refusal(400, {
      type: 'ValidationException',
      uri: 'coral.validate',
      body: { message: "1 validation error detected: Value '-1' at 'blockIndex' failed" },
    }),
    expected: {
      code: 'ERR_EBS_SERVICE',
      serviceCode: 'ValidationException',
      reason: undefined,
      serviceMessage: "1 validation error detected: Value '-1' at 'blockIndex' failed",
      retryClass: 'never',
    },
  },
  {
    name: 'a checksum that the service does not agree with',
    answer: refusal(403, {
      type: 'InvalidSignatureException',
      uri: 'coral.service',
      body: { message: 'The value passed in as x-amz-Checksum does not match' },
    }),
    expected: { code: 'ERR_EBS_ACCESS', statusCode: 403, retryClass: 'checksum' },
  },
  {
    name: 'a signature that is too old',
    answer: refusal(403, {
      type: 'InvalidSignatureException',
      uri: 'coral.service',
      body: { message: 'Signature expired: 20150101T000000Z is now earlier than …' },
    }),
    expected: { code: 'ERR_EBS_ACCESS', retryClass: 'clock' },
  },
  {
    name: 'credentials that have expired',
    answer: refusal(400, { type: 'ExpiredTokenException', body: { message: 'token is expired' } }),
    expected: {
      code: 'ERR_EBS_ACCESS',
      serviceCode: 'ExpiredTokenException',
      retryClass: 'credentials',
    },
  },
  {
    name: 'the quota of a snapshot',
    answer: refusal(400, {
      type: 'RequestThrottledException',
      body: { Message: 'slow down', Reason: 'RESOURCE_LEVEL_THROTTLE' },
    }),
    expected: {
      name: 'ThrottleError',
      code: 'ERR_EBS_THROTTLED',
      scope: 'snapshot',
      reason: 'RESOURCE_LEVEL_THROTTLE',
      retryClass: 'throttle',
    },
  },
  {
    name: 'the quota of an account',
    answer: refusal(400, {
      type: 'RequestThrottledException',
      body: { Message: 'slow down', Reason: 'ACCOUNT_THROTTLED' },
    }),
    expected: { name: 'ThrottleError', scope: 'account', retryClass: 'throttle' },
  },
  {
    name: 'the throttle of every AWS service',
    answer: refusal(400, { type: 'ThrottlingException', body: { message: 'Rate exceeded' } }),
    expected: { name: 'ThrottleError', scope: 'account', serviceMessage: 'Rate exceeded' },
  },
  {
    name: 'a 429 that says nothing',
    answer: httpAnswer('429 Too Many Requests', ''),
    expected: { name: 'ThrottleError', scope: 'account', serviceCode: 'UnknownError' },
  },
  {
    name: 'a quota that is used up',
    answer: refusal(402, {
      type: 'ServiceQuotaExceededException',
      body: { Message: 'too many', Reason: 'DEPENDENCY_SERVICE_QUOTA_EXCEEDED' },
    }),
    expected: { code: 'ERR_EBS_SERVICE', statusCode: 402, retryClass: 'never' },
  },
  {
    name: 'a permission that is missing, without a Reason',
    answer: refusal(403, {
      type: 'AccessDeniedException',
      body: { Message: 'User: arn is not authorized to perform: ebs:PutSnapshotBlock' },
    }),
    expected: {
      code: 'ERR_EBS_ACCESS',
      serviceCode: 'AccessDeniedException',
      serviceMessage: 'User: arn is not authorized to perform: ebs:PutSnapshotBlock',
      retryClass: 'never',
    },
  },
  {
    name: 'a snapshot that is not known',
    answer: refusal(404, {
      type: 'ResourceNotFoundException',
      body: { Message: "The snapshot 's' does not exist.", Reason: 'SNAPSHOT_NOT_FOUND' },
    }),
    expected: { code: 'ERR_EBS_SERVICE', statusCode: 404, retryClass: 'visibility' },
  },
  {
    name: 'a body that the network cut',
    answer: refusal(400, {
      type: 'ValidationException',
      body: { Message: 'Failed to read block data', Reason: 'INVALID_PARAMETER_VALUE' },
    }),
    expected: { code: 'ERR_EBS_SERVICE', retryClass: 'transient' },
  },
  {
    name: 'two writers of one block',
    answer: refusal(400, {
      type: 'ValidationException',
      body: { Message: 'conflict', Reason: 'CONFLICTING_BLOCK_UPDATE' },
    }),
    expected: { retryClass: 'transient' },
  },
  {
    name: 'a failure of the service',
    answer: refusal(500, { type: 'InternalServerException', body: { Message: 'oops' } }),
    expected: { code: 'ERR_EBS_SERVICE', statusCode: 500, retryClass: 'transient' },
  },
  {
    name: 'a balancer that answers in HTML',
    answer: httpAnswer('502 Bad Gateway', '<html>\n <h1>502</h1>\n</html>', {
      'Content-Type': 'text/html',
    }),
    expected: {
      code: 'ERR_EBS_SERVICE',
      statusCode: 502,
      serviceCode: 'UnknownError',
      // The SDK does not keep the text that it could not read.
      serviceMessage: expect.stringMatching(
        /^an answer that is not JSON(: <html> <h1>502)?/,
      ) as string,
      retryClass: 'transient',
    },
  },
  {
    name: 'a balancer that says nothing',
    answer: httpAnswer('503 Service Unavailable', ''),
    expected: { statusCode: 503, serviceCode: 'UnknownError', retryClass: 'transient' },
  },
  {
    name: 'a type in the body',
    answer: httpAnswer('400 Bad Request', '{"__type":"com.amazon#UnrecognizedClientException"}'),
    expected: {
      code: 'ERR_EBS_ACCESS',
      serviceCode: 'UnrecognizedClientException',
      serviceMessage: '',
      retryClass: 'never',
    },
  },
  {
    name: 'a proxy that refuses in words',
    answer: httpAnswer('403 Forbidden', 'blocked by policy', { 'Content-Type': 'text/plain' }),
    expected: {
      code: 'ERR_EBS_ACCESS',
      serviceMessage: expect.stringMatching(/^an answer that is not JSON(: blocked)?/) as string,
      retryClass: 'never',
    },
  },
];
