import {
  connect as connectTcp,
  isIP,
  type OnReadOpts,
  type Socket,
  type TcpNetConnectOpts,
} from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { abortError } from '../base/errors.ts';
import { openTunnel } from './proxy-tunnel.ts';
import { unreachable, type Proxy, type Target } from './proxy.ts';
import { CONNECT_TIMEOUT_MS } from './time-limits.ts';

/**
 * Where every connection reads what has no place of its own yet, which is taken out before the next read: as a rule the
 * head of an answer. What it holds of the body behind that is copied, so it is small.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(16_384);

/** Where a server listens, and how to get there. */
export interface Address extends Target {
  /** Socket and TLS settings beside those, as Node's own agents take them: `ca`, `cert`, `lookup`, … */
  readonly settings?: ConnectionOptions | undefined;
  /** Passes on what is sent: encrypted bytes through a tunnel, plain requests as they are addressed. */
  readonly proxy?: Proxy | undefined;
}

/** Takes what a socket reads, and says where that is to be put. */
export interface SocketReader {
  /** Memory to read into next, not empty; asked for anew after each read. Undefined: anywhere. */
  room(): Uint8Array | undefined;
  /** Takes what was read, the beginning of the room if there was one; anywhere else it is overwritten afterwards. */
  take(bytes: Buffer): void;
}

/** How a socket is opened. */
export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  /** TLS session to resume. */
  readonly session?: Buffer | undefined;
  /** Called with each session that the server lets us resume later. */
  readonly onSession?: ((session: Buffer) => void) | undefined;
  /** Takes what was read. Without it the socket is read as any stream. */
  readonly reader?: SocketReader | undefined;
}

/** A socket that is ready to be written to. */
export interface OpenSocket {
  readonly socket: Socket;
  /** Milliseconds that TCP took to connect, or a tunnel to be there: one round trip. */
  readonly connectMs: number;
}

/**
 * Connects to a server, or to the proxy in front of it.
 * @throws the socket's error, what {@link openTunnel} throws, an error with code ETIMEDOUT after 15 seconds, AbortError.
 */
export function openSocket(address: Address, options: OpenOptions): Promise<OpenSocket> {
  const { isEncrypted, proxy } = address;
  return withinTimeLimit(address, options.signal, async (limit) => {
    if (proxy === undefined) return established(start(address, options), address, limit);
    if (isEncrypted) {
      const tunnel = await openTunnel(proxy, address, limit);
      const socket = startTls(address, { ...options, tunnel: tunnel.socket });
      return { ...(await established(socket, address, limit)), connectMs: tunnel.connectMs };
    }
    return established(start(proxy, options), proxy, limit).catch((error: unknown) => {
      throw limit.aborted ? error : unreachable(proxy, error);
    });
  });
}

/** Opens with a signal that is aborted, for the reason to fail with, when the caller's is, or after 15 seconds. */
async function withinTimeLimit<T>(
  address: Address,
  signal: AbortSignal | undefined,
  open: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  if (signal?.aborted === true) throw abortError(signal);
  const limit = new AbortController();
  const onAbort = (): void => limit.abort(abortError(signal));
  const timer = setTimeout(() => limit.abort(timeoutError(address)), CONNECT_TIMEOUT_MS);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await open(limit.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Waits until a socket can be written to; one that cannot is closed before this fails. */
function established(socket: Socket, target: Target, limit: AbortSignal): Promise<OpenSocket> {
  return new Promise((resolve, reject) => {
    const connectMs = timeConnect(socket);
    let failure: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      socket.destroy();
    };
    const onAbort = (): void => fail(limit.reason as Error);
    limit.addEventListener('abort', onAbort, { once: true });
    if (limit.aborted) onAbort();
    socket.on('error', fail);
    // Once the promise is resolved, its owner listens; these then do nothing.
    socket.once('close', () => reject(failure ?? refusedError(target)));
    socket.once(target.isEncrypted ? 'secureConnect' : 'connect', () => {
      limit.removeEventListener('abort', onAbort);
      resolve({ socket, connectMs: connectMs() });
    });
  });
}

function start(address: Address, options: OpenOptions): Socket {
  return address.isEncrypted
    ? startTls(address, options)
    : connectTcp(tcpOptions(address, options));
}

function startTls(
  address: Address,
  { tunnel, ...options }: OpenOptions & { readonly tunnel?: Socket },
): TLSSocket {
  const { session, onSession, reader } = options;
  const socket = connectTls({
    ALPNProtocols: ['http/1.1'],
    // An address is no server name (RFC 6066 section 3); Node checks the certificate for it all the same.
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    ...tcpOptions(address, options),
    ...(session === undefined ? {} : { session }),
    ...(tunnel === undefined ? {} : { socket: tunnel }),
  });
  if (onSession !== undefined) socket.on('session', onSession);
  // Node reads into a given buffer only from sockets that it opens itself.
  if (tunnel !== undefined && reader !== undefined) {
    socket.on('data', (bytes: Buffer) => reader.take(bytes));
  }
  return socket;
}

function tcpOptions({ host, port, settings }: Address, { reader }: OpenOptions): TcpNetConnectOpts {
  return {
    ...settings,
    host,
    port,
    // A request is written in one go, so nothing is gained by waiting for more.
    noDelay: true,
    ...(reader === undefined ? {} : { onread: readInto(reader) }),
  };
}

function readInto(reader: SocketReader): OnReadOpts {
  return {
    buffer: () => reader.room() ?? READ_BUFFER,
    callback: (size, { buffer, byteOffset }) => {
      reader.take(Buffer.from(buffer as ArrayBuffer, byteOffset, size));
      return true;
    },
  };
}

/** Times the attempt that succeeds: names have several addresses, which are tried one by one. */
function timeConnect(socket: Socket): () => number {
  let startedAtMs = performance.now();
  let connectedAtMs = startedAtMs;
  socket.on('connectionAttempt', () => (startedAtMs = performance.now()));
  socket.once('connect', () => (connectedAtMs = performance.now()));
  return () => connectedAtMs - startedAtMs;
}

function timeoutError({ host, port, proxy }: Address): Error {
  const through = proxy === undefined ? '' : ` through the proxy ${proxy.name}`;
  const seconds = CONNECT_TIMEOUT_MS / 1000;
  const message = `No connection to ${host}:${port}${through} within ${seconds} seconds`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}

function refusedError({ host, port }: Target): Error {
  const message = `The connection to ${host}:${port} was closed before it was established`;
  return Object.assign(new Error(message), { code: 'ECONNRESET' });
}
