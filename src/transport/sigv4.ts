import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

/** Who signs, and where the signature holds. */
export interface SigningIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** The signing name of the service, as `ebs`. */
  readonly service: string;
}

/** What signs the requests of one day: derived once, since it costs four hashes. */
export interface DayKey {
  readonly accessKeyId: string;
  /** `yyyymmdd/region/service/aws4_request`. */
  readonly scope: string;
  readonly key: KeyObject;
}

/** What a signature covers. */
export interface SignedParts {
  readonly method: string;
  /** As it is on the wire: percent-encoded once. */
  readonly path: string;
  /** As it is on the wire: {@link canonicalQuery}. */
  readonly query: string;
  /** Lower-case names and trimmed values, sorted by name, `host` and `x-amz-date` among them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
  /** `yyyymmddThhmmssZ`, of the day that the key is for. */
  readonly dateTime: string;
}

/** Derives the key for one day (`yyyymmdd`). */
export function deriveDayKey(identity: SigningIdentity, day: string): DayKey {
  const { accessKeyId, secretAccessKey, region, service } = identity;
  let key = Buffer.from(`AWS4${secretAccessKey}`, 'utf8');
  for (const part of [day, region, service, 'aws4_request']) {
    key = createHmac('sha256', key).update(part).digest();
  }
  const scope = `${day}/${region}/${service}/aws4_request`;
  return { accessKeyId, scope, key: createSecretKey(key) };
}

/**
 * Signs a request with AWS Signature Version 4 and returns the value of its `authorization` header
 * (IAM user guide, "Create a signed AWS API request").
 */
export function authorization({ accessKeyId, scope, key }: DayKey, parts: SignedParts): string {
  const { method, path, query, headers, payloadHash, dateTime } = parts;
  let lines = '';
  let names = '';
  for (const [name, value] of headers) {
    lines += `${name}:${value}\n`;
    names += names === '' ? name : `;${name}`;
  }
  const canonical = `${method}\n${canonicalPath(path)}\n${query}\n${lines}\n${names}\n${payloadHash}`;
  const digest = hash('sha256', canonical, 'hex');
  const toSign = `AWS4-HMAC-SHA256\n${dateTime}\n${scope}\n${digest}`;
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}

/** Writes a query as it is signed, sorted and percent-encoded; so it may go over the wire as well. */
export function canonicalQuery(query: readonly (readonly [name: string, value: string])[]): string {
  return query
    .map(([name, value]): [string, string] => [percentEncode(name), percentEncode(value)])
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** Percent-encodes all but the unreserved characters of RFC 3986 section 2.3. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A value as it is signed: without white space around it, and with one space where there were several. */
export function canonicalValue(value: string): string {
  return value.replace(/[ \t\r\n]+/g, ' ').trim();
}

/** A path that needs neither normalising nor encoding, as all of ours behind a plain endpoint. */
const PLAIN_PATH = /^(\/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+$/;

/** Normalises a path and encodes it once more, as every service but S3 wants it. */
function canonicalPath(path: string): string {
  if (PLAIN_PATH.test(path)) return path;
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(percentEncode(segment));
  }
  return `/${kept.join('/')}${kept.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
