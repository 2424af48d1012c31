import type { SendQueue } from './body-progress.ts';
import { HttpConnection, type ExchangeOptions, type HttpRequest } from './http-connection.ts';
import { openSocket, type Address } from './open-socket.ts';
import type { HttpAnswer } from './response-parser.ts';
import { IDLE_TIMEOUT_MS } from './time-limits.ts';

/**
 * Milliseconds that a connection must have been idle for a reset to be taken for a stale connection: no server gives
 * one up sooner, so a reset before that is a failure like any other.
 */
const STALE_AFTER_MS = 1000;

/** What a pool needs beside the address. */
export interface PoolOptions {
  /** A clock that never goes back. */
  readonly nowMs: () => number;
  /** Milliseconds without a byte in either direction after which a connection is closed. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  /** Lets the observers hear when a body has left. Default: they hear when the kernel has accepted it. */
  readonly sendQueue?: SendQueue | undefined;
}

interface IdleConnection {
  readonly connection: HttpConnection;
  readonly sinceMs: number;
}

/**
 * The connections to one server. A request gets an idle one, the one used last, or a new one at once; nothing waits
 * here, so there are as many as requests were ever in flight together.
 */
export class ConnectionPool {
  readonly #address: Address;
  readonly #nowMs: () => number;
  readonly #options: PoolOptions;
  readonly #idle: IdleConnection[] = [];
  /** Every open connection, and what resolves when it is closed. */
  readonly #closed = new Map<HttpConnection, Promise<void>>();
  #session: Buffer | undefined;
  #isClosed = false;

  constructor(address: Address, options: PoolOptions) {
    this.#address = address;
    this.#nowMs = options.nowMs;
    this.#options = options;
  }

  /** Connections that wait for a request. */
  get idleCount(): number {
    return this.#idle.length;
  }

  /**
   * Sends a request and resolves with its answer, whatever its status. A kept-alive connection that the server gave
   * up while it was idle is noticed only by a reset; the request is then sent once more at once, on a new connection.
   * @throws what {@link HttpConnection.exchange} and {@link openSocket} throw.
   */
  send(request: HttpRequest, options: ExchangeOptions = {}): Promise<HttpAnswer> {
    const idle = this.#takeIdle();
    if (idle === undefined) return this.#sendOnNew(request, options);
    const { connection, sinceMs } = idle;
    options.observer?.onSocket?.({ isFresh: false });
    const answer = connection.exchange(request, options);
    // Nearly all connections were used a moment ago; their answers are passed on without a promise more.
    if (this.#nowMs() - sinceMs < STALE_AFTER_MS) return answer;
    return answer.catch((error: unknown) => {
      if (!connection.isUnanswered) throw error;
      return this.#sendOnNew(request, options);
    });
  }

  /**
   * Closes every idle connection now, and every other as soon as its request has ended. Resolves when the last one is
   * closed.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
    await Promise.all(this.#closed.values());
  }

  #takeIdle(): IdleConnection | undefined {
    let idle = this.#idle.pop();
    while (idle !== undefined && !idle.connection.isReusable) idle = this.#idle.pop();
    return idle;
  }

  async #open({ signal, observer }: ExchangeOptions): Promise<HttpConnection> {
    // A socket asks where to read before it is connected.
    const opened: { connection?: HttpConnection } = {};
    const { socket, connectMs } = await openSocket(this.#address, {
      signal,
      session: this.#session,
      onSession: (session) => (this.#session = session),
      reader: {
        room: () => opened.connection?.room(),
        take: (bytes) => opened.connection?.take(bytes),
      },
    });
    const connection = new HttpConnection(socket, {
      isEncrypted: this.#address.isEncrypted,
      idleTimeoutMs: this.#options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      sendQueue: this.#options.sendQueue,
      onExchanged: () => this.#takeBack(connection),
    });
    opened.connection = connection;
    const closed = new Promise<void>((resolve) => connection.onceClosed(resolve));
    this.#closed.set(
      connection,
      closed.then(() => this.#forget(connection)),
    );
    observer?.onSocket?.({ isFresh: true, connectMs });
    return connection;
  }

  async #sendOnNew(request: HttpRequest, options: ExchangeOptions): Promise<HttpAnswer> {
    const connection = await this.#open(options);
    return connection.exchange(request, options);
  }

  #takeBack(connection: HttpConnection): void {
    if (this.#isClosed) connection.destroy();
    else if (connection.isReusable) this.#idle.push({ connection, sinceMs: this.#nowMs() });
  }

  #forget(connection: HttpConnection): void {
    this.#closed.delete(connection);
    const at = this.#idle.findIndex((idle) => idle.connection === connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}
