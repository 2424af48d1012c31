import type { FileHandle } from 'node:fs/promises';
import { BLOCK_SIZE } from '../base/constants.ts';
import type { ByteRange, EngineWriter } from './engine.ts';
import { writeWhole } from './whole-write.ts';
import { ZERO_BLOCK_DATA } from './zero-block.ts';

/**
 * Writes a target in plain Node: through the page cache, on libuv's threads. Node can neither punch holes nor ask a device
 * for zeros, so a range is cleared by writing zeros where it does not read as zeros yet; holes stay holes.
 */
export class JsWriter implements EngineWriter {
  readonly isDirect = false;
  readonly #handle: FileHandle;
  readonly #outstanding = new Set<Promise<void>>();
  #isClosed = false;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#done(() => this.#write(offset, data));
  }

  clear({ offset, length }: ByteRange): Promise<void> {
    return this.#done(async () => {
      const found = Buffer.alloc(Math.min(length, BLOCK_SIZE));
      for (let done = 0; done < length; done += BLOCK_SIZE) {
        const zeros = ZERO_BLOCK_DATA.subarray(0, Math.min(BLOCK_SIZE, length - done));
        const isClear = await this.#reads(offset + done, zeros, found);
        if (!isClear) await this.#write(offset + done, zeros);
      }
    });
  }

  sync(): Promise<void> {
    return this.#done(() => this.#handle.sync());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#outstanding);
  }

  #write(offset: number, data: Uint8Array): Promise<void> {
    return writeWhole(this.#handle.fd, data, offset);
  }

  /** Whether the target has exactly these bytes; one that cannot be read has them not. */
  async #reads(offset: number, expected: Buffer, found: Buffer): Promise<boolean> {
    const length = expected.byteLength;
    const { bytesRead } = await this.#handle
      .read(found, 0, length, offset)
      .catch(() => ({ bytesRead: 0 }));
    return bytesRead === length && expected.equals(found.subarray(0, length));
  }

  async #done(call: () => Promise<void>): Promise<void> {
    if (this.#isClosed) throw new Error('The writer is closed');
    const running = call();
    this.#outstanding.add(running);
    try {
      await running;
    } finally {
      this.#outstanding.delete(running);
    }
  }
}
