import { createHash, createHmac } from 'node:crypto';
import { posix } from 'node:path';

/** A request whose body needs no signature, so that one signature fits whatever bytes follow. */
export interface UnsignedBodyRequest {
  readonly method: string;
  /** Path and query as they go over the wire; the query, if any, in the order of its names. */
  readonly url: string;
  /** Default 'ebs'. */
  readonly service?: string;
}

const REGION = 'us-east-1';

/** Returns the headers, Host included, that sign a request for the service's default credentials (SigV4). */
export function signHeaders(
  endpoint: string,
  { method, url, service = 'ebs' }: UnsignedBodyRequest,
): Record<string, string> {
  const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${REGION}/${service}/aws4_request`;
  const headers = {
    host: new URL(endpoint).host,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': time,
  };
  const names = Object.keys(headers).join(';');
  const [path = '', query = ''] = url.split('?');
  // All services but S3 normalise the path and encode it, which is encoded already, once more.
  const canonicalPath = posix.normalize(path).split('/').map(encodeURIComponent).join('/');
  const canonical = [
    method,
    canonicalPath,
    query,
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
    '',
    names,
    'UNSIGNED-PAYLOAD',
  ].join('\n');
  const digest = createHash('sha256').update(canonical).digest('hex');
  const key = scope.split('/').reduce<string | Buffer>(hmac, 'AWS4local-secret');
  const signature = createHmac('sha256', key)
    .update(['AWS4-HMAC-SHA256', time, scope, digest].join('\n'))
    .digest('hex');
  const credential = `Credential=local/${scope}`;
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

/** Writes the head of a signed request as it goes over the wire. */
export function signedHead(
  endpoint: string,
  request: UnsignedBodyRequest & { readonly headers?: Readonly<Record<string, string | number>> },
): string {
  const headers = { ...signHeaders(endpoint, request), ...request.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${request.method} ${request.url} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
