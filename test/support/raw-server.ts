import { EBSClient } from '@aws-sdk/client-ebs';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request as it came over the wire. */
export interface RawRequest {
  readonly socket: Socket;
  /** Request line and headers. */
  readonly head: string;
  /** 0 for the first connection. */
  readonly connection: number;
  /** Bytes of the body that have come so far, or all of them when the server reads to the end first. */
  readonly received: Buffer[];
}

/** A server that does what a test says. */
export interface RawServer {
  readonly endpoint: string;
  readonly port: number;
  /** Every request so far. */
  readonly requests: RawRequest[];
  /** Connections that are open now. */
  readonly openCount: () => number;
  /** Connections that were ever made. */
  readonly connectionCount: () => number;
}

/** How a server behaves. */
export interface RawServerOptions {
  /** 'body': called when a request is through; 'head': called when its head is, and nothing more is read. */
  readonly answersAfter?: 'head' | 'body';
  readonly onRequest: (request: RawRequest) => void;
}

/** Starts a server on a free port that knows of HTTP only where a request ends; it is closed when the test ends. */
export async function startRawServer(options: RawServerOptions): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const requests: RawRequest[] = [];
  let connectionCount = 0;
  const server = createServer((socket) => {
    const connection = connectionCount;
    connectionCount += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    readRequests(socket, connection, (request) => {
      requests.push(request);
      options.onRequest(request);
    });
  });
  const readRequests = (
    socket: Socket,
    connection: number,
    onRequest: (request: RawRequest) => void,
  ): void => {
    let pending = Buffer.alloc(0);
    let current: { request: RawRequest; left: number } | undefined;
    const take = (bytes: Buffer): void => {
      if (current === undefined) {
        pending = Buffer.concat([pending, bytes]);
        const end = pending.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = pending.toString('latin1', 0, end);
        const rest = pending.subarray(end + 4);
        pending = Buffer.alloc(0);
        const left = Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        current = { request: { socket, head, connection, received: [] }, left };
        if (options.answersAfter === 'head') {
          socket.pause();
          onRequest(current.request);
        }
        take(rest);
        return;
      }
      current.request.received.push(bytes);
      current.left -= bytes.length;
      if (current.left > 0) return;
      const { request } = current;
      current = undefined;
      if (options.answersAfter !== 'head') onRequest(request);
    };
    socket.on('data', take);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    openCount: () => sockets.size,
    connectionCount: () => connectionCount,
  };
}

/** Writes an answer with a length. */
export function httpAnswer(
  status: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Makes a client of a server; it is destroyed when the test ends. */
export function clientOf(
  endpoint: string,
  config: ConstructorParameters<typeof EBSClient>[0] = {},
): EBSClient {
  const client = new EBSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local-secret' },
    endpoint,
    ...config,
  });
  onTestFinished(() => client.destroy());
  return client;
}
