import type { ByteRange } from '../../src/engine/engine.ts';
import type { Target } from '../../src/target/target.ts';

/** A target in memory, full of old bytes unless it `isZero`, that notes what was asked of it. */
export class MemoryTarget implements Target {
  readonly name = 'memory';
  readonly isInOrder: boolean;
  readonly isZero: boolean;
  readonly bytes: Buffer;
  /** Offsets of writes, and ranges cleared, in order. */
  readonly writes: number[] = [];
  readonly cleared: ByteRange[] = [];
  /** Runs before each write; may wait or throw. */
  onWrite: (offset: number, signal?: AbortSignal) => Promise<void> | void = () => undefined;
  /** Calls not ended yet. */
  pending = 0;
  #end = 0;

  constructor(options: { sizeBytes: number; isInOrder?: boolean; isZero?: boolean }) {
    this.isInOrder = options.isInOrder ?? false;
    this.isZero = options.isZero ?? false;
    this.bytes = Buffer.alloc(options.sizeBytes, this.isZero ? 0 : 0xee);
  }

  async write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.pending += 1;
    try {
      await this.onWrite(offset, signal);
      this.#take({ offset, length: data.byteLength });
      this.writes.push(offset);
      this.bytes.set(data, offset);
    } finally {
      this.pending -= 1;
    }
  }

  clear({ offset, length }: ByteRange): Promise<void> {
    this.#take({ offset, length });
    this.cleared.push({ offset, length });
    this.bytes.fill(0, offset, offset + length);
    return Promise.resolve();
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  abort(): Promise<void> {
    return Promise.resolve();
  }

  #take({ offset, length }: ByteRange): void {
    if (this.isInOrder && offset !== this.#end) {
      throw new Error(`byte ${offset} does not follow byte ${this.#end}`);
    }
    this.#end = offset + length;
  }
}
