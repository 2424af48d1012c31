import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A TCP connection that sends bytes as they are and reads answers without judging them. */
export class RawConnection {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    // The other side may reset at any time; what came until then is what counts.
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
  }

  /** Connects to the host and port of a URL. */
  static async open(endpoint: string): Promise<RawConnection> {
    const { hostname, port } = new URL(endpoint);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  /** Everything that has come so far. */
  get received(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  /** The statuses of the answers that have come so far, 100 Continue included. */
  get statuses(): number[] {
    return [...this.received.matchAll(/(?:^|[\n}>])HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) =>
      Number(status),
    );
  }

  /** Sends without waiting for anything. */
  send(data: string | Uint8Array): this {
    if (this.socket.writable) this.socket.write(data);
    return this;
  }

  /** Sends no more; the other direction stays open. */
  finish(): this {
    if (this.socket.writable) this.socket.end();
    return this;
  }

  /** Sends a chunk again and again until `limitBytes` or until the other side has had enough. Returns the bytes sent. */
  async flood(chunk: Uint8Array, limitBytes: number): Promise<number> {
    let sent = 0;
    while (sent < limitBytes && this.socket.writable && !this.#hasEnded()) {
      sent += chunk.length;
      if (this.socket.write(chunk)) continue;
      await oneOf(this.socket, 'drain', 'close');
    }
    return sent;
  }

  /** Resolves when this many answers have begun to come, or the other side has closed. */
  async answers(count: number): Promise<number[]> {
    while (this.statuses.length < count && !this.#hasEnded()) {
      await oneOf(this.socket, 'data', 'end', 'close');
    }
    return this.statuses;
  }

  /** Resolves when the other side sends no more. */
  async ended(): Promise<string> {
    while (!this.#hasEnded()) {
      await oneOf(this.socket, 'end', 'close');
    }
    return this.received;
  }

  /** Leaves at once, with a reset when `isRude`. */
  leave(isRude = false): void {
    if (isRude) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  #hasEnded(): boolean {
    return this.socket.readableEnded || this.socket.closed;
  }
}

/** Resolves with the first of several events; unlike `once`, an error is none of its business. */
function oneOf(socket: Socket, ...names: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      for (const name of names) socket.off(name, end);
      resolve();
    };
    for (const name of names) socket.on(name, end);
  });
}
