import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { authorityOf, refusalOf, unreachable, type Proxy, type Target } from './proxy.ts';

/** A connection through a proxy to a server, on which nothing has been said yet. */
export interface Tunnel {
  readonly socket: Socket;
  /** Milliseconds from asking for it to its being there: a round trip to the proxy, and one from there to the server. */
  readonly connectMs: number;
}

/**
 * Has a proxy CONNECT to a server.
 * @param signal - gives up.
 * @throws {ProxyRefusal} when the proxy refuses for good; else the socket's error in other words; the signal's reason.
 */
export function openTunnel(proxy: Proxy, target: Target, signal: AbortSignal): Promise<Tunnel> {
  return new Promise((resolve, reject) => {
    const authority = authorityOf(target);
    const { host, port, authorization, isEncrypted } = proxy;
    const request = (isEncrypted ? httpsRequest : httpRequest)({
      host,
      port,
      signal,
      agent: false,
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
      },
    });
    let askedAtMs = 0;
    request.once('socket', (socket) => {
      socket.once(isEncrypted ? 'secureConnect' : 'connect', () => (askedAtMs = performance.now()));
    });
    // Emitted for every answer to CONNECT, refusals included.
    request.once('connect', ({ statusCode = 0, statusMessage }: IncomingMessage, socket) => {
      if (statusCode >= 200 && statusCode < 300) {
        resolve({ socket, connectMs: performance.now() - askedAtMs });
        return;
      }
      socket.destroy();
      reject(refusalOf(proxy, statusCode, statusMessage));
    });
    request.on('error', (error) => {
      reject(signal.aborted ? (signal.reason as Error) : unreachable(proxy, error));
    });
    request.end();
  });
}
