import type { Socket } from 'node:net';
import { abortError } from '../base/errors.ts';
import { LeavingBody, type SendQueue } from './body-progress.ts';
import { ResponseParser, type HttpAnswer } from './response-parser.ts';
import type { AttemptObserver } from './transport.ts';

/** A request, ready for the wire. */
export interface HttpRequest {
  /** Request line and headers, with the empty line behind them. Latin-1. */
  readonly head: string;
  /** Written as it is, without a copy; must not change until the exchange has ended. */
  readonly body?: Uint8Array | undefined;
  /** Where the body of a good answer goes, if it has just this length; written to until the exchange has ended. */
  readonly into?: Uint8Array | undefined;
}

/** What accompanies an exchange. */
export interface ExchangeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly observer?: AttemptObserver | undefined;
}

/** One request and its answer, until both are through. */
interface Exchange extends ExchangeOptions {
  readonly parser: ResponseParser;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly onAbort: () => void;
  /** The body on its way, for an observer. */
  body: LeavingBody | undefined;
  isFlushed: boolean;
  /** What the exchange came to, while it waits for the socket to let go of the body. */
  outcome: { readonly answer: HttpAnswer } | { readonly error: Error } | undefined;
}

/**
 * A connection that carries one request at a time. An exchange ends only when the socket has let go of the body: the
 * kernel has accepted all of it, or the socket is closed. So an answer that comes early, a failure and an abort close
 * the connection first, and whoever owns the body may then write over it.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #isEncrypted: boolean;
  readonly #sendQueue: SendQueue | undefined;
  readonly #onExchanged: () => void;
  #exchange: Exchange | undefined;
  #isKeptAlive = true;
  #isUnanswered = false;

  /**
   * @param socket - connected, and reading into {@link room} for {@link take}.
   * @param options.idleTimeoutMs - milliseconds without a byte in either direction after which it is closed.
   * @param options.onExchanged - called when an exchange has ended, before its promise settles.
   */
  constructor(
    socket: Socket,
    options: {
      readonly isEncrypted: boolean;
      readonly idleTimeoutMs: number;
      readonly sendQueue?: SendQueue | undefined;
      readonly onExchanged: () => void;
    },
  ) {
    this.#socket = socket;
    this.#isEncrypted = options.isEncrypted;
    this.#sendQueue = options.sendQueue;
    this.#onExchanged = options.onExchanged;
    socket.on('error', (error) => this.#fail(error));
    socket.setTimeout(options.idleTimeoutMs, () => this.#fail(idleError(options.idleTimeoutMs)));
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
  }

  /** Whether another request may be sent. */
  get isReusable(): boolean {
    return this.#isKeptAlive && !this.#socket.destroyed && this.#exchange === undefined;
  }

  /** Whether the last exchange failed because the connection ended before any byte of an answer. */
  get isUnanswered(): boolean {
    return this.#isUnanswered;
  }

  /** Calls back when the connection is closed, at once when it is already. */
  onceClosed(callback: () => void): void {
    if (this.#socket.closed) callback();
    else this.#socket.once('close', callback);
  }

  /**
   * Sends a request and resolves with its answer, whatever its status.
   * @throws the socket's error, an Error when the answer is not HTTP or was cut, AbortError.
   */
  exchange(request: HttpRequest, options: ExchangeOptions = {}): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const { signal, observer } = options;
      const onAbort = (): void => this.#fail(abortError(signal));
      this.#isUnanswered = false;
      this.#exchange = {
        signal,
        observer,
        parser: new ResponseParser(request.into),
        resolve,
        reject,
        onAbort,
        body: undefined,
        isFlushed: false,
        outcome: undefined,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      // Between finding the connection and this, it may have closed, or the signal aborted.
      if (signal?.aborted === true) onAbort();
      if (this.#socket.closed) this.#onClose();
      if (this.#socket.destroyed) return;
      this.#write(request, this.#exchange);
      observer?.onFirstByte?.();
    });
  }

  /** The place of the bytes that the socket reads next, as soon as that is known: in the body. */
  room(): Uint8Array | undefined {
    const exchange = this.#exchange;
    return exchange?.outcome === undefined ? exchange?.parser.room() : undefined;
  }

  /** Takes bytes that the socket has read; outside the room they may be overwritten afterwards. */
  take(bytes: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Nobody asked: a server that says good-bye in words, or a broken one.
      this.#socket.destroy();
      return;
    }
    if (exchange.outcome !== undefined) return;
    try {
      const answer = exchange.parser.push(bytes);
      exchange.body?.answered();
      exchange.observer?.onAnswer?.();
      if (answer !== undefined) this.#complete(exchange, answer);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Closes the connection; an exchange under way fails. */
  destroy(): void {
    this.#socket.destroy();
  }

  #write({ head, body }: HttpRequest, exchange: Exchange): void {
    const socket = this.#socket;
    const onWritten = (error?: Error | null): void => {
      if (!error) this.#onFlushed(exchange);
    };
    if (body === undefined) {
      socket.write(head, 'latin1', onWritten);
      return;
    }
    const { observer } = exchange;
    if (observer?.onProgress !== undefined || observer?.onFlushed !== undefined) {
      exchange.body = new LeavingBody(socket, {
        headSize: head.length,
        bodySize: body.byteLength,
        sendQueue: this.#sendQueue,
        onProgress: (bytesSent) => observer.onProgress?.(bytesSent),
        onLeft: () => observer.onFlushed?.(),
      });
    }
    // Without TLS head and body leave in one system call. TLS would copy the two into one buffer first.
    if (!this.#isEncrypted) socket.cork();
    socket.write(head, 'latin1');
    socket.write(body, onWritten);
    if (!this.#isEncrypted) socket.uncork();
  }

  #onFlushed(exchange: Exchange): void {
    exchange.isFlushed = true;
    if (exchange.outcome === undefined) exchange.body?.accepted();
  }

  #complete(exchange: Exchange, answer: HttpAnswer): void {
    exchange.outcome = { answer };
    this.#isKeptAlive &&= answer.isKeptAlive && exchange.isFlushed;
    if (!this.#isKeptAlive) this.#socket.destroy();
    if (exchange.isFlushed) this.#settle();
  }

  #fail(error: Error): void {
    const exchange = this.#exchange;
    if (exchange !== undefined && exchange.outcome === undefined) {
      exchange.outcome = { error };
      this.#isUnanswered = !exchange.parser.isBegun && exchange.signal?.aborted !== true;
    }
    this.#socket.destroy();
  }

  #onEnd(): void {
    const exchange = this.#exchange;
    this.#isKeptAlive = false;
    if (exchange === undefined || exchange.outcome !== undefined) return;
    try {
      const answer = exchange.parser.end();
      if (answer === undefined) this.#fail(closedError());
      else this.#complete(exchange, answer);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #onClose(): void {
    if (this.#exchange === undefined) return;
    if (this.#exchange.outcome === undefined) this.#fail(closedError());
    this.#settle();
  }

  #settle(): void {
    const exchange = this.#exchange;
    if (exchange?.outcome === undefined) return;
    this.#exchange = undefined;
    exchange.body?.end();
    exchange.signal?.removeEventListener('abort', exchange.onAbort);
    this.#onExchanged();
    if ('answer' in exchange.outcome) exchange.resolve(exchange.outcome.answer);
    else exchange.reject(exchange.outcome.error);
  }
}

/** As Node reports a connection that the other side closed. */
function closedError(): Error {
  return Object.assign(new Error('The server closed the connection before it answered'), {
    code: 'ECONNRESET',
  });
}

function idleError(idleMs: number): Error {
  const message = `Nothing moved on the connection for ${idleMs / 1000} seconds`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
