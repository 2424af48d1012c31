import type { EBSClientResolvedConfig } from '@aws-sdk/client-ebs';
import { CredentialRenewal } from './credential-renewal.ts';
import type { Proxy } from './proxy.ts';
import {
  authorization,
  canonicalValue,
  deriveDayKey,
  type DayKey,
  type SigningIdentity,
} from './sigv4.ts';
import type { WireRequest } from './wire.ts';

/** What a client's configuration resolves credentials to. */
export type Credentials = Awaited<ReturnType<EBSClientResolvedConfig['credentials']>>;

/** Finds credentials, as a client's configuration does: remembers them, and renews them before they expire. */
export type CredentialsProvider = (options?: {
  readonly forceRefresh?: boolean;
}) => Promise<Credentials>;

/** What a signer is made of. */
export interface RequestSignerOptions {
  readonly credentials: CredentialsProvider;
  readonly region: string;
  /** Signing name, as `ebs`. */
  readonly service: string;
  /** The service's clock. */
  readonly clock: { nowMs(): number };
  /** Value of the header of that name. */
  readonly host: string;
  /** The endpoint's own path, without a slash at its end. */
  readonly pathPrefix: string;
  readonly userAgent: string;
  /** The proxy that requests are handed to as they are, without a tunnel. */
  readonly proxy?: Pick<Proxy, 'authorization'> | undefined;
}

/** What all signatures of one second share. */
interface Moment {
  readonly second: number;
  readonly dateTime: string;
  readonly day: DayKey;
  readonly credentials: Credentials;
  /** Renewals before the credentials were asked for. */
  readonly renewals: number;
}

/** A request with its signature. */
export interface SignedRequest {
  /** Request line and headers, with the empty line behind them. */
  readonly head: string;
  /** Renewals of the credentials before it was signed, for {@link RequestSigner.renew}. */
  readonly renewals: number;
}

/** Writes the heads of requests, signed. Credentials are asked for once a second, the key is derived once a day. */
export class RequestSigner {
  readonly #options: RequestSignerOptions;
  readonly #renewal: CredentialRenewal;
  /** What a proxy is told beside the request, which its signature does not cover: whom it is for, and who asks. */
  readonly #origin: string;
  readonly #proxyHeader: string;
  #moment: Moment | undefined;

  constructor(options: RequestSignerOptions) {
    this.#options = options;
    this.#renewal = new CredentialRenewal(options.credentials);
    const { proxy, host } = options;
    this.#origin = proxy === undefined ? '' : `http://${host}`;
    this.#proxyHeader =
      proxy?.authorization === undefined ? '' : `proxy-authorization: ${proxy.authorization}\r\n`;
  }

  /** Signs a request at once, unless credentials must be asked for first. */
  trySign(request: WireRequest): SignedRequest | undefined {
    const moment = this.#moment;
    if (moment?.second !== this.#second()) return undefined;
    return { head: this.#write(request, moment), renewals: moment.renewals };
  }

  /** Asks for credentials and signs. @throws what the credentials' provider throws. */
  async sign(request: WireRequest): Promise<SignedRequest> {
    const moment = await this.#momentAt(this.#second());
    return { head: this.#write(request, moment), renewals: moment.renewals };
  }

  /** Asks for new credentials because the service calls those of a request expired, unless that has been done since. */
  async renew({ renewals }: SignedRequest): Promise<void> {
    await this.#renewal.since(renewals);
    if (this.#moment?.renewals === renewals) this.#moment = undefined;
  }

  #second(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }

  async #momentAt(second: number): Promise<Moment> {
    const renewals = this.#renewal.count;
    const credentials = await this.#options.credentials();
    checkShape(credentials);
    const dateTime = new Date(second * 1000).toISOString().replace(/[-:]|\.000/g, '');
    const { region, service } = this.#options;
    const { accessKeyId, secretAccessKey } = credentials;
    const day = this.#dayKey(
      { accessKeyId, secretAccessKey, region, service },
      { dateTime, credentials },
    );
    this.#moment = { second, dateTime, day, credentials, renewals };
    return this.#moment;
  }

  #dayKey(identity: SigningIdentity, next: Pick<Moment, 'dateTime' | 'credentials'>): DayKey {
    const day = next.dateTime.slice(0, 8);
    const last = this.#moment;
    const isSame = last?.credentials === next.credentials && last.dateTime.startsWith(day);
    return isSame ? last.day : deriveDayKey(identity, day);
  }

  #write(request: WireRequest, { dateTime, day, credentials }: Moment): string {
    const { method, query, payloadHash, body } = request;
    const { host, pathPrefix, userAgent } = this.#options;
    const path = pathPrefix + request.path;
    const headers: (readonly [string, string])[] = [
      ...request.headers,
      ['host', host],
      ['x-amz-content-sha256', payloadHash],
      ['x-amz-date', dateTime],
    ];
    if (credentials.sessionToken !== undefined) {
      headers.push(['x-amz-security-token', canonicalValue(credentials.sessionToken)]);
    }
    headers.sort(([a], [b]) => (a < b ? -1 : 1));
    const parts = { method, path, query, headers, payloadHash, dateTime };
    const target = `${this.#origin}${path}${query === '' ? '' : `?${query}`}`;
    let head = `${method} ${target} HTTP/1.1\r\n${this.#proxyHeader}`;
    for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
    head += `authorization: ${authorization(day, parts)}\r\nuser-agent: ${userAgent}\r\n`;
    const hasLength = body !== undefined || method !== 'GET';
    return `${head}${hasLength ? `content-length: ${body?.byteLength ?? 0}\r\n` : ''}\r\n`;
  }
}

/** Custom providers return what they like; the message is the SDK's own. */
function checkShape(credentials: unknown): void {
  const { accessKeyId, secretAccessKey } = (credentials ?? {}) as Record<string, unknown>;
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string') {
    throw new Error('Resolved credential object is not valid');
  }
}
