import { isIP } from 'node:net';
import { getProxyForUrl } from 'proxy-from-env';

/** Where a server listens, as far as it decides about a proxy. */
export interface Target {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether to speak TLS to it. */
  readonly isEncrypted: boolean;
}

/** An HTTP proxy. */
export interface Proxy extends Target {
  /** Its URL for messages: without user and password. */
  readonly name: string;
  /** Value of Proxy-Authorization, where its URL names a user. */
  readonly authorization: string | undefined;
}

/** Why a proxy lets nothing through, in words; trying again cannot help. */
export class ProxyRefusal extends Error {}

/**
 * Finds the proxy that the environment names for a server: HTTPS_PROXY or HTTP_PROXY by its scheme, else ALL_PROXY,
 * unless NO_PROXY has it; each in lower case first. What listens on this machine needs none.
 * @throws {ProxyRefusal} when what it finds is not the URL of an HTTP proxy.
 */
export function proxyFor(target: Target): Proxy | undefined {
  if (isLoopback(target.host)) return undefined;
  const scheme = target.isEncrypted ? 'https' : 'http';
  if (getProxyForUrl(`${scheme}://${authorityOf(target)}`) === '') return undefined;
  const names = [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`, 'all_proxy', 'ALL_PROXY'];
  // Only the variable itself tells whether it has a scheme: one without is given the target's, which TLS would break.
  const name = names.find((candidate) => process.env[candidate]) ?? '';
  return parseProxy(name, process.env[name] ?? '');
}

/** Where the server of a URL, or of what has its parts, listens. */
export function targetOf(url: {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: string | number | undefined;
}): Target {
  const isEncrypted = url.protocol === 'https:';
  const port = Number(url.port ?? 0) || (isEncrypted ? 443 : 80);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, isEncrypted };
}

/** Host and port as they stand in a request. */
export function authorityOf({ host, port }: Pick<Target, 'host' | 'port'>): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** What a proxy's answer to a request that it did not let through means. */
export function refusalOf(proxy: Proxy, statusCode: number, statusText = ''): Error {
  const status = `${statusCode} ${statusText}`.trim();
  if (statusCode === 407) {
    const advice =
      proxy.authorization === undefined
        ? 'put them into its URL, as http://user:password@host:port'
        : 'those in its URL are not accepted';
    return new ProxyRefusal(
      `the proxy ${proxy.name} asks for a user and a password (${status}); ${advice}`,
    );
  }
  const message = `the proxy ${proxy.name} refused (${status})`;
  if (statusCode >= 500 || statusCode === 408 || statusCode === 429) return new Error(message);
  return new ProxyRefusal(`${message}; ask who runs it to allow the endpoint`);
}

/** Words the failure to connect to a proxy; its code stays. */
export function unreachable(proxy: Proxy, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code?.startsWith('HPE_') === true) {
    return new ProxyRefusal(`what listens at ${proxy.name} is not an HTTP proxy`, { cause: error });
  }
  const text = `the proxy ${proxy.name} could not be reached: ${message}`;
  return Object.assign(new Error(text, { cause: error }), code === undefined ? {} : { code });
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|::1)$/i.test(host);
}

/** The value is never told: it may hold a password. */
function parseProxy(variable: string, value: string): Proxy {
  const url = parseUrl(value.includes('://') ? value : `http://${value}`);
  if (url === undefined) {
    throw new ProxyRefusal(`${variable} is not a URL; it must be as http://host:port`);
  }
  const { protocol, username, password } = url;
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new ProxyRefusal(
      `${variable} names a proxy of the kind ${protocol.slice(0, -1)}; ` +
        'only HTTP proxies can be used, as http://host:port',
    );
  }
  const target = targetOf(url);
  const isNamed = username !== '' || password !== '';
  return {
    ...target,
    name: `${protocol}//${authorityOf(target)}`,
    authorization: isNamed ? basic(variable, username, password) : undefined,
  };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function basic(variable: string, username: string, password: string): string {
  try {
    const words = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(words).toString('base64')}`;
  } catch (error) {
    const message = `${variable} has a % in its user or password that must be written %25`;
    throw new ProxyRefusal(message, { cause: error });
  }
}
