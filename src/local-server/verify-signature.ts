import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalRequest } from './canonical-request.ts';
import { SIGNATURE_SKEW_MS } from './wire-table.ts';

/** What a client signs with. */
export interface LocalCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The parts of a request that a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly url: string;
  /** Names and values in turn, as in Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[];
  /** SHA-256 of the body, lower-case hex; undefined when it was not signed, or not read to its end. */
  readonly bodySha256Hex: string | undefined;
}

/** The credential scope of a request: who asks, where, and which service. */
export interface CredentialScope {
  readonly accessKeyId: string;
  /** yyyymmdd */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** Why a signature does not hold; each protocol has its own words for these. */
export type SignatureProblem =
  | 'missing'
  | 'incomplete'
  | 'unknown-key'
  | 'wrong-token'
  | 'wrong-region'
  | 'wrong-service'
  | 'expired'
  | 'not-yet-valid'
  | 'mismatch';

/** A request that cannot be trusted. */
export class SignatureError extends Error {
  readonly problem: SignatureProblem;

  constructor(problem: SignatureProblem, message: string) {
    super(message);
    this.name = 'SignatureError';
    this.problem = problem;
  }
}

interface Authorization extends CredentialScope {
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS ' +
  'Secret Access Key and signing method. Consult the service documentation for details.';
const INVALID_TOKEN = 'The security token included in the request is invalid.';
const KEY_CACHE_SIZE = 64;

/** Reads the credential scope without judging it, for routing; undefined when there is none. */
export function readScope(authorization: string | undefined): CredentialScope | undefined {
  const credential = /Credential=([^,\s]+)/.exec(authorization ?? '')?.[1];
  const parts = credential?.split('/') ?? [];
  const [accessKeyId, date, region, service, terminator] = parts;
  if (!accessKeyId || !date || !region || !service || terminator !== 'aws4_request') {
    return undefined;
  }
  return { accessKeyId, date, region, service };
}

/** Checks AWS Signature Version 4 (header form) against one pair of credentials. */
export class SignatureVerifier {
  readonly #credentials: LocalCredentials;
  readonly #region: string | undefined;
  readonly #signingKeys = new Map<string, Buffer>();

  /** @param region - the only region to accept; undefined accepts any. */
  constructor(credentials: LocalCredentials, region?: string) {
    this.#credentials = credentials;
    this.#region = region;
  }

  /**
   * Checks one request.
   * @param nowMs - epoch milliseconds to judge the request's time by.
   * @throws {SignatureError} naming what is wrong.
   */
  verify(request: SignedRequest, nowMs: number): CredentialScope {
    const headers = collectHeaders(request.rawHeaders);
    const authorization = parseAuthorization(headers.get('authorization'));
    this.#checkIdentity(authorization, headers);
    const timestamp = checkTime(headers, authorization, nowMs);
    const payloadHash = checkPayload(headers.get('x-amz-content-sha256'), request);
    const { date, region, service, signedHeaders } = authorization;
    const { method, url } = request;
    const canonical = canonicalRequest({
      method,
      url,
      service,
      signedHeaders,
      headers,
      payloadHash,
    });
    const stringToSign = [
      'AWS4-HMAC-SHA256',
      timestamp,
      `${date}/${region}/${service}/aws4_request`,
      createHash('sha256').update(canonical).digest('hex'),
    ].join('\n');
    const expected = hmac(this.#signingKey(authorization), stringToSign);
    const given = Buffer.from(authorization.signature, 'hex');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new SignatureError('mismatch', MISMATCH);
    }
    return authorization;
  }

  #checkIdentity(authorization: Authorization, headers: ReadonlyMap<string, string>): void {
    if (authorization.accessKeyId !== this.#credentials.accessKeyId) {
      throw new SignatureError('unknown-key', INVALID_TOKEN);
    }
    if (headers.get('x-amz-security-token') !== this.#credentials.sessionToken) {
      throw new SignatureError('wrong-token', INVALID_TOKEN);
    }
    if (this.#region !== undefined && authorization.region !== this.#region) {
      throw new SignatureError(
        'wrong-region',
        `Credential should be scoped to a valid region, not '${authorization.region}'. `,
      );
    }
  }

  #signingKey({ date, region, service }: CredentialScope): Buffer {
    const name = `${date}/${region}/${service}`;
    const cached = this.#signingKeys.get(name);
    if (cached !== undefined) return cached;
    const start = Buffer.from(`AWS4${this.#credentials.secretAccessKey}`);
    const key = [date, region, service, 'aws4_request'].reduce(hmac, start);
    // Regions and dates come from the client, so the cache must not grow with them.
    if (this.#signingKeys.size >= KEY_CACHE_SIZE) this.#signingKeys.clear();
    this.#signingKeys.set(name, key);
    return key;
  }
}

function collectHeaders(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    const value = (rawHeaders[i + 1] ?? '').trim().replace(/ {2,}/g, ' ');
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return headers;
}

function parseAuthorization(text: string | undefined): Authorization {
  if (text === undefined || text === '') {
    throw new SignatureError('missing', 'Missing Authentication Token');
  }
  const scope = readScope(text);
  const signedHeaders = /SignedHeaders=([^,\s]+)/.exec(text)?.[1];
  const signature = /Signature=([0-9a-f]{64})(?:$|[,\s])/.exec(text)?.[1];
  if (
    !text.startsWith('AWS4-HMAC-SHA256 ') ||
    scope === undefined ||
    signedHeaders === undefined ||
    signature === undefined
  ) {
    throw new SignatureError(
      'incomplete',
      "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.",
    );
  }
  const names = signedHeaders.split(';');
  if (!names.includes('host')) {
    throw new SignatureError(
      'mismatch',
      "'Host' must be a 'SignedHeader' in the AWS Authorization.",
    );
  }
  return { ...scope, signedHeaders: names, signature };
}

/** Returns the timestamp (yyyymmddThhmmssZ) after comparing it with the scope and with `nowMs`. */
function checkTime(
  headers: ReadonlyMap<string, string>,
  authorization: Authorization,
  nowMs: number,
): string {
  const sent = headers.get('x-amz-date') ?? basicTime(Date.parse(headers.get('date') ?? ''));
  const sentMs = parseBasicTime(sent);
  if (sent === undefined || sentMs === undefined) {
    throw new SignatureError(
      'incomplete',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  if (!sent.startsWith(authorization.date)) {
    throw new SignatureError('mismatch', 'Date in Credential scope does not match YYYYMMDD.');
  }
  if (sentMs < nowMs - SIGNATURE_SKEW_MS) {
    const now = basicTime(nowMs) ?? '';
    const limit = basicTime(nowMs - SIGNATURE_SKEW_MS) ?? '';
    throw new SignatureError(
      'expired',
      `Signature expired: ${sent} is now earlier than ${limit} (${now} - 5 min.)`,
    );
  }
  if (sentMs > nowMs + SIGNATURE_SKEW_MS) {
    const now = basicTime(nowMs) ?? '';
    const limit = basicTime(nowMs + SIGNATURE_SKEW_MS) ?? '';
    throw new SignatureError(
      'not-yet-valid',
      `Signature not yet current: ${sent} is still later than ${limit} (${now} + 5 min.)`,
    );
  }
  return sent;
}

/** Returns the payload hash of the canonical request: what was declared, else what the body has. */
function checkPayload(declared: string | undefined, { bodySha256Hex }: SignedRequest): string {
  const isDigest = /^[0-9a-f]{64}$/.test(declared ?? '');
  if (isDigest && bodySha256Hex !== undefined && declared !== bodySha256Hex) {
    throw new SignatureError('mismatch', MISMATCH);
  }
  return declared ?? bodySha256Hex ?? '';
}

function basicTime(ms: number): string | undefined {
  if (!Number.isFinite(ms)) return undefined;
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function parseBasicTime(text: string | undefined): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const ms = Date.parse(
    `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}Z`,
  );
  return Number.isNaN(ms) ? undefined : ms;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
