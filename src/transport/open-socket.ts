import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { abortError } from '../base/errors.ts';
import { CONNECT_TIMEOUT_MS } from './time-limits.ts';

/** Bytes of the one buffer that every connection reads into; what is read is taken out before the next read. */
const READ_BUFFER = Buffer.allocUnsafeSlow(131_072);

/** Where a server listens. */
export interface Address {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether to speak TLS. */
  readonly isEncrypted: boolean;
  /** Socket and TLS settings beside those, as Node's own agents take them: `ca`, `cert`, `lookup`, … */
  readonly settings?: ConnectionOptions | undefined;
}

/** How a socket is opened. */
export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  /** TLS session to resume. */
  readonly session?: Buffer | undefined;
  /** Called with each session that the server lets us resume later. */
  readonly onSession: (session: Buffer) => void;
  /** Called with what was read, which is overwritten afterwards. */
  readonly onRead: (bytes: Buffer) => void;
}

/** A socket that is ready to be written to. */
export interface OpenSocket {
  readonly socket: Socket;
  /** Milliseconds that TCP took to connect: one round trip. */
  readonly connectMs: number;
}

/**
 * Connects to a server.
 * @throws the socket's error, an error with code ETIMEDOUT after 15 seconds, AbortError.
 */
export function openSocket(address: Address, options: OpenOptions): Promise<OpenSocket> {
  const { signal } = options;
  if (signal?.aborted === true) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const socket = address.isEncrypted ? startTls(address, options) : startTcp(address, options);
    const connectMs = timeConnect(socket);
    let failure: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      socket.destroy();
    };
    const onAbort = (): void => fail(abortError(signal));
    const timer = setTimeout(() => fail(timeoutError(address)), CONNECT_TIMEOUT_MS);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', fail);
    // Once the promise is resolved, its owner listens; these then do nothing.
    socket.once('close', () => {
      settle();
      reject(failure ?? refusedError(address));
    });
    socket.once(address.isEncrypted ? 'secureConnect' : 'connect', () => {
      settle();
      resolve({ socket, connectMs: connectMs() });
    });
  });
}

function startTcp(address: Address, options: OpenOptions): Socket {
  return connectTcp(tcpOptions(address, options));
}

function startTls(address: Address, options: OpenOptions): TLSSocket {
  const { session, onSession } = options;
  const socket = connectTls({
    ALPNProtocols: ['http/1.1'],
    // An address is no server name (RFC 6066 section 3); Node checks the certificate for it all the same.
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    ...tcpOptions(address, options),
    ...(session === undefined ? {} : { session }),
  });
  socket.on('session', onSession);
  return socket;
}

function tcpOptions({ host, port, settings }: Address, { onRead }: OpenOptions): TcpNetConnectOpts {
  return {
    ...settings,
    host,
    port,
    // A request is written in one go, so nothing is gained by waiting for more.
    noDelay: true,
    onread: {
      buffer: READ_BUFFER,
      callback: (size, buffer) => {
        onRead((buffer as Buffer).subarray(0, size));
        return true;
      },
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

function timeoutError({ host, port }: Address): Error {
  const message = `No connection to ${host}:${port} within ${CONNECT_TIMEOUT_MS / 1000} seconds`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}

function refusedError({ host, port }: Address): Error {
  const message = `The connection to ${host}:${port} was closed before it was established`;
  return Object.assign(new Error(message), { code: 'ECONNRESET' });
}
