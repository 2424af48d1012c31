import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { exchange, type ExchangeParties } from './exchange.ts';
import { answerWitness, WITNESS_PREFIX } from './witness.ts';

/** Where to listen. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Silence after which a half-sent request is answered as cut, and a connection is dropped. */
  readonly idleTimeoutMs: number;
}

/** The HTTP side: accepts connections, runs an exchange for each request, and leaves nothing behind when closed. */
export class Listener {
  readonly #parties: ExchangeParties;
  readonly #server: Server;
  readonly #exchanges = new Set<Promise<void>>();

  constructor(parties: ExchangeParties, idleTimeoutMs: number) {
    this.#parties = parties;
    this.#server = createServer({ keepAliveTimeout: idleTimeoutMs }, (request, response) => {
      this.#serve(request, response);
    });
    this.#server.timeout = idleTimeoutMs;
    this.#server.on('clientError', refuseGarbage);
  }

  /**
   * Begins to listen. Returns the base URL.
   * @throws {Error} of the system when the port or host cannot be had.
   */
  async listen({ host, port }: ListenOptions): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const { port: actual } = this.#server.address() as AddressInfo;
    return `http://${host.includes(':') ? `[${host}]` : host}:${actual}`;
  }

  /** Drops every connection and resolves when the last exchange has ended. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    while (this.#exchanges.size > 0) await Promise.allSettled(this.#exchanges);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    // Writing to a client that has gone is no event here; the exchange sees the connection closed.
    response.on('error', () => undefined);
    if (request.url?.startsWith(WITNESS_PREFIX) === true) {
      answerWitness(this.#parties.history, request, response);
      return;
    }
    const running: Promise<void> = exchange(this.#parties, request, response)
      .catch(() => request.socket.destroy())
      .then(() => void this.#exchanges.delete(running));
    this.#exchanges.add(running);
  }
}

function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}
