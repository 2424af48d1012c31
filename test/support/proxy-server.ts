import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsProxy } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { TEST_CERTIFICATE } from './test-certificate.ts';

/** How a proxy behaves. */
export interface ProxyOptions {
  /** Port of this machine that every host is found at: of tunnels, and of requests that come as they are. */
  readonly tunnelPort?: number;
  readonly requestPort?: number;
  /** `user:password` that it asks for. */
  readonly credentials?: string;
  /** What it says in place of doing its work; nothing, when it is empty. */
  readonly answer?: string;
  /** Whether it speaks TLS itself. */
  readonly isEncrypted?: boolean;
}

/** An HTTP proxy on a free port; it is closed when the test ends. */
export interface ProxyServer {
  readonly port: number;
  /** What it was asked for, as `CONNECT ebs.test:443` and `GET http://ebs.test/…`, credentials or not. */
  readonly asked: string[];
  /** Connections to it that are open now. */
  readonly openCount: () => number;
  /** Breaks all of them. */
  readonly reset: () => void;
}

/** Starts a proxy that resolves every name to this machine. */
export async function startProxy(options: ProxyOptions): Promise<ProxyServer> {
  const { tunnelPort = 0, requestPort = 0, credentials, answer } = options;
  const asked: string[] = [];
  const refusal = (incoming: IncomingMessage): string | undefined => {
    asked.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
    if (answer !== undefined) return answer;
    const given = incoming.headers['proxy-authorization'];
    const isKnown = given === `Basic ${Buffer.from(credentials ?? '').toString('base64')}`;
    return credentials === undefined || isKnown ? undefined : PROVE_YOURSELF;
  };
  const server = options.isEncrypted === true ? createTlsProxy(TEST_CERTIFICATE) : createServer();
  server.on('connect', (incoming: IncomingMessage, client: Duplex) => {
    const refused = refusal(incoming);
    if (refused === undefined) tunnel(client, tunnelPort);
    else
      client
        .on('end', () => client.end())
        .resume()
        .write(refused);
  });
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const refused = refusal(incoming);
    if (refused === undefined) forward(incoming, outgoing, requestPort);
    else outgoing.socket?.write(refused);
  });
  return { ...(await listen(server)), asked };
}

/** Starts a server that ends TLS and passes on to a port of this machine. */
export async function startTlsFront(port: number): Promise<number> {
  return (await listen(createTlsServer(TEST_CERTIFICATE, (socket) => join(socket, port)))).port;
}

const PROVE_YOURSELF =
  'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n';

function tunnel(client: Duplex, port: number): void {
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  join(client, port);
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, port: number): void {
  const { method, url = '', headers } = incoming;
  const { 'proxy-authorization': _, ...rest } = headers;
  const path = url.replace(/^http:\/\/[^/]+/, '');
  const upstream = request({ port, host: '127.0.0.1', method, path, headers: rest });
  upstream.on('response', (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  upstream.on('error', () => outgoing.destroy());
  incoming.pipe(upstream);
}

function join(client: Duplex, port: number): void {
  const upstream = connect(port, '127.0.0.1');
  client.pipe(upstream).pipe(client);
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

async function listen(server: Server): Promise<Omit<ProxyServer, 'asked'>> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    port: (server.address() as AddressInfo).port,
    openCount: () => sockets.size,
    reset: () => sockets.forEach((socket) => socket.resetAndDestroy()),
  };
}
