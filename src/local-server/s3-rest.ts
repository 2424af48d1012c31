import { createHash, randomBytes } from 'node:crypto';
import type { Answer } from './answers.ts';
import type { XmlError } from './ec2-xml.ts';
import type { Service } from './service.ts';
import { writeElements, XML_DECLARATION } from './xml.ts';

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** The operation of S3 that a request means; undefined for those that are not answered here. */
export function s3OperationOf(method: string, path: string): 'ListBuckets' | undefined {
  return method === 'GET' && path === '/' ? 'ListBuckets' : undefined;
}

/** Answers one call of S3: the account has no buckets, so each one that is named does not exist. */
export function answerS3({ account }: Service, method: string, path: string): Answer {
  if (s3OperationOf(method, path) === 'ListBuckets') {
    // The canonical id of an account is 64 hex digits.
    const ID = createHash('sha256').update(account.accountId).digest('hex');
    const content = writeElements({ Owner: { ID }, Buckets: '' });
    const text = `<ListAllMyBucketsResult xmlns="${NAMESPACE}">${content}</ListAllMyBucketsResult>`;
    return s3Answer({ status: 200, text, requestId: newRequestId() });
  }
  if (path !== '/' && (method === 'GET' || method === 'HEAD')) {
    const message = 'The specified bucket does not exist';
    return s3ErrorAnswer({ status: 404, code: 'NoSuchBucket', message });
  }
  return s3ErrorAnswer({
    status: 501,
    code: 'NotImplemented',
    message: 'A header you provided implies functionality that is not implemented',
  });
}

/** Makes an error answer of S3. */
export function s3ErrorAnswer({ status, code, message }: XmlError): Answer {
  const requestId = newRequestId();
  const text = writeElements({ Error: { Code: code, Message: message, RequestId: requestId } });
  return { ...s3Answer({ status, text, requestId }), error: { type: code, message } };
}

function s3Answer(answer: {
  readonly status: number;
  readonly text: string;
  readonly requestId: string;
}): Answer {
  const { status, text, requestId } = answer;
  return {
    status,
    contentType: 'application/xml',
    headers: {
      'x-amz-request-id': requestId,
      'x-amz-id-2': randomBytes(48).toString('base64'),
      Server: 'AmazonS3',
    },
    body: XML_DECLARATION + text,
  };
}

/** Ids of S3 are 16 upper-case letters and digits. */
function newRequestId(): string {
  return randomBytes(8).toString('hex').toUpperCase();
}
