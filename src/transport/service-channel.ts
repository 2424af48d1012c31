import { abortable } from '../base/abortable.ts';
import { isCredentialExpiry, isTimeRefusal } from './error-answer.ts';
import type { ClientSettings } from './client-settings.ts';
import { ConnectionPool, type PoolOptions } from './connection-pool.ts';
import type { ExchangeOptions } from './http-connection.ts';
import { refusalOf, type Proxy } from './proxy.ts';
import { RequestSigner } from './request-signer.ts';
import type { HttpAnswer } from './response-parser.ts';
import { readError, type WireError, type WireRequest } from './wire.ts';

/** An answer, and what it says if it is a refusal. */
export interface ServiceAnswer {
  readonly answer: HttpAnswer;
  readonly refusal?: WireError;
  /** Whether the answer revealed a wrong clock, which is corrected now. */
  readonly isClockCorrected: boolean;
}

/** The way to one service: signs requests, sends each over a connection of its own, and learns from the answers. */
export class ServiceChannel {
  readonly settings: ClientSettings;
  readonly #signer: RequestSigner;
  readonly #pool: ConnectionPool;
  /** The proxy whose own answers cannot be told from the service's but by their status. */
  readonly #plainProxy: Proxy | undefined;

  constructor(settings: ClientSettings, options: PoolOptions) {
    this.settings = settings;
    const { isEncrypted, proxy } = settings.address;
    this.#plainProxy = isEncrypted ? undefined : proxy;
    this.#signer = new RequestSigner({ ...settings, proxy: this.#plainProxy });
    this.#pool = new ConnectionPool(settings.address, options);
  }

  /**
   * Sends a request once and resolves with the answer, refusals included. Credentials that the service calls expired are
   * renewed, and a wrong clock is corrected, before it resolves.
   * @throws {ProxyRefusal}, errors of sockets and of the credentials' provider, AbortError.
   */
  async send(request: WireRequest, options: ExchangeOptions): Promise<ServiceAnswer> {
    const signed =
      this.#signer.trySign(request) ??
      (await abortable(this.#signer.sign(request), options.signal));
    const { body, into } = request;
    const answer = await this.#pool.send({ head: signed.head, body, into }, options);
    const date = answer.header('date');
    const { clock } = this.settings;
    if (answer.statusCode < 300) {
      return { answer, isClockCorrected: clock.learn(date, { isTimeRefused: false }) };
    }
    if (answer.statusCode === 407 && this.#plainProxy !== undefined) {
      throw refusalOf(this.#plainProxy, 407);
    }
    const refusal = readError(answer);
    if (isCredentialExpiry(refusal.serviceCode)) {
      await abortable(this.#signer.renew(signed), options.signal);
    }
    const isClockCorrected = clock.learn(date, { isTimeRefused: isTimeRefusal(refusal) });
    return { answer, refusal, isClockCorrected };
  }

  /** Closes the connections, those in use when their request has ended, and resolves when they are closed. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
