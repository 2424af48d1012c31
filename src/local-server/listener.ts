import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { exchange, type ExchangeParties } from './exchange.ts';
import { ReceiveWindow } from './hostility/receive-window.ts';
import { answerWitness, WITNESS_PREFIX } from './witness.ts';

/** Where to listen. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Silence after which a half-sent request is answered as cut, and a connection is dropped. */
  readonly idleTimeoutMs: number;
}

/** Time for a whole request, as Node has it: a block in this time is 14 kbit/s. */
const REQUEST_TIMEOUT_MS = 300_000;
const CHECKING_INTERVAL_MS = 30_000;
/** By the code of Node's error. */
const GARBAGE_STATUS: ReadonlyMap<string | undefined, string> = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Payload Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
]);

/** The HTTP side: accepts connections, runs an exchange for each request, and leaves nothing behind when closed. */
export class Listener {
  readonly #parties: ExchangeParties;
  readonly #server: Server;
  readonly #exchanges = new Set<Promise<void>>();

  constructor(parties: ExchangeParties, idleTimeoutMs: number) {
    this.#parties = parties;
    const timeouts = {
      keepAliveTimeout: idleTimeoutMs,
      // Who sends a head byte by byte is never silent, yet must not keep a connection for good; nor a body.
      headersTimeout: idleTimeoutMs,
      requestTimeout: Math.max(REQUEST_TIMEOUT_MS, idleTimeoutMs),
      connectionsCheckingInterval: Math.min(idleTimeoutMs, CHECKING_INTERVAL_MS),
    };
    this.#server = createServer(timeouts, (request, response) => this.#serve(request, response));
    this.#server.timeout = idleTimeoutMs;
    // Each request of a pipeline listens to its connection; their number is no sign of a leak.
    this.#server.on('connection', (socket: Socket) => socket.setMaxListeners(0));
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
    const window = new ReceiveWindow(this.#server);
    this.#parties.hostility.watch(({ path }) => window.set(path?.receiveWindowBytes));
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
      this.#run(answerWitness(this.#parties, request, response), request);
      return;
    }
    this.#run(exchange(this.#parties, request, response), request);
  }

  #run(serving: Promise<void>, request: IncomingMessage): void {
    const running: Promise<void> = serving
      .catch(() => request.socket.destroy())
      .then(() => void this.#exchanges.delete(running));
    this.#exchanges.add(running);
  }
}

/** Answers what is no HTTP, or comes too slowly, and closes whether or not the client does. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = GARBAGE_STATUS.get(error.code) ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () =>
    socket.destroy(),
  );
}
