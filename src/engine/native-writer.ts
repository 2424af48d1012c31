import type { ByteRange, EngineWriter } from './engine.ts';
import type { NativeWriterHandle, WriterCallback } from './native-binding.ts';
import { holdSlot } from './slot-memory.ts';
import { systemError } from './system-error.ts';

/** Writes a target through the addon. */
export class NativeWriter implements EngineWriter {
  readonly isDirect: boolean;
  readonly #handle: NativeWriterHandle;
  readonly #outstanding = new Set<Promise<void>>();
  #isClosed = false;

  /** @throws a system error when the descriptor cannot be used. */
  constructor(handle: NativeWriterHandle) {
    this.#handle = handle;
    const failure = handle.failure();
    if (failure !== undefined) throw systemError(failure);
    this.isDirect = handle.isDirect();
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    // An owner may release a block too early; its slot is still not filled anew before it is on the disk.
    const letGo = holdSlot(data);
    try {
      await this.#done((callback) => this.#handle.write(data, offset, callback));
    } finally {
      letGo();
    }
  }

  clear({ offset, length }: ByteRange): Promise<void> {
    return this.#done((callback) => this.#handle.clear(offset, length, callback));
  }

  sync(): Promise<void> {
    return this.#done((callback) => this.#handle.sync(callback));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#outstanding);
    this.#handle.close();
  }

  async #done(call: (callback: WriterCallback) => void): Promise<void> {
    if (this.#isClosed) throw new Error('The writer is closed');
    const running = new Promise<void>((resolve, reject) => {
      call((failure) => (failure === undefined ? resolve() : reject(systemError(failure))));
    });
    this.#outstanding.add(running);
    try {
      await running;
    } finally {
      this.#outstanding.delete(running);
    }
  }
}
