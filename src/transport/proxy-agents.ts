import { setMaxListeners } from 'node:events';
import { Agent as HttpAgent, type ClientRequest, type ClientRequestArgs } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { openSocket, type Address } from './open-socket.ts';
import { proxyFor, targetOf, type Target } from './proxy.ts';

type OnSocket = (error: Error | null, socket: Duplex) => void;

/** Where an agent is told to connect to. */
type Destination = Pick<ClientRequestArgs, 'host' | 'port'>;

/** The connections that an agent is opening through a proxy. */
class Opening {
  #abort = forMany();

  start(address: Address, onSocket: OnSocket): void {
    void openSocket(address, { signal: this.#abort.signal }).then(
      ({ socket }) => onSocket(null, socket),
      // Node takes an error alone, which its types leave out.
      (error: unknown) => (onSocket as (error: unknown) => void)(error),
    );
  }

  /** Gives them up: no request waits for them any more, but the process would. */
  end(): void {
    this.#abort.abort();
    this.#abort = forMany();
  }
}

/** Node warns of more than ten listeners, and there is one for each connection. */
function forMany(): AbortController {
  const abort = new AbortController();
  setMaxListeners(0, abort.signal);
  return abort;
}

/** Node's agent for HTTPS, but through the proxy that the environment names for a server. */
export class ProxyHttpsAgent extends HttpsAgent {
  readonly #opening = new Opening();

  override createConnection(
    options: RequestOptions,
    onSocket: OnSocket,
  ): Duplex | undefined | null {
    const target = destination(options, 'https:');
    const proxy = proxyFor(target);
    if (proxy === undefined) return super.createConnection(options, onSocket);
    this.#opening.start({ ...target, settings: options as ConnectionOptions, proxy }, onSocket);
    return undefined;
  }

  override destroy(): void {
    this.#opening.end();
    super.destroy();
  }
}

/** Node's agent for plain HTTP, but requests are handed to the proxy that the environment names for their server. */
export class ProxyHttpAgent extends HttpAgent {
  readonly #opening = new Opening();

  override createConnection(
    options: ClientRequestArgs,
    onSocket: OnSocket,
  ): Duplex | undefined | null {
    const target = destination(options, 'http:');
    const proxy = proxyFor(target);
    if (proxy === undefined) return super.createConnection(options, onSocket);
    this.#opening.start({ ...target, proxy }, onSocket);
    return undefined;
  }

  /** Called with each request before its head is written. Node's types leave it out. */
  addRequest(request: ClientRequest, options: Destination): void {
    const proxy = proxyFor(destination(options, 'http:'));
    if (proxy !== undefined) {
      request.path = `http://${String(request.getHeader('host'))}${request.path}`;
      if (proxy.authorization !== undefined) {
        request.setHeader('proxy-authorization', proxy.authorization);
      }
    }
    addRequest.call(this, request, options);
  }

  override destroy(): void {
    this.#opening.end();
    super.destroy();
  }
}

const { addRequest } = HttpAgent.prototype as unknown as {
  readonly addRequest: (this: HttpAgent, request: ClientRequest, options: Destination) => void;
};

function destination({ host, port }: Destination, protocol: 'http:' | 'https:'): Target {
  return targetOf({ protocol, hostname: host ?? 'localhost', port: port ?? undefined });
}
