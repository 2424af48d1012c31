import { BLOCK_SIZE } from './wire-table.ts';

/**
 * Buffers of one block each, made when first needed and used again. There are never more than `limit`: who asks for one
 * more waits, and so does the client behind the unread socket.
 */
export class BlockBuffers {
  readonly #limit: number;
  readonly #free: Buffer[] = [];
  readonly #waiting: ((buffer: Buffer) => void)[] = [];
  #made = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Leases a buffer of BLOCK_SIZE bytes with unspecified content. */
  lease(): Buffer | Promise<Buffer> {
    const buffer = this.#free.pop();
    if (buffer !== undefined) return buffer;
    if (this.#made < this.#limit) {
      this.#made += 1;
      return Buffer.allocUnsafeSlow(BLOCK_SIZE);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a leased buffer back; nothing may use it afterwards. */
  release(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }
}
