import type { Metadata } from './block-records.ts';

interface Entry {
  readonly key: string;
  readonly value: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes records in the order given, many in one step: while a write is under way the next ones gather, so that a busy
 * server pays for one log write where it would pay for dozens. A lone record is written at once.
 */
export class GroupCommit {
  readonly #metadata: Metadata;
  #gathered: Entry[] = [];
  #isWriting = false;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  /** Resolves when the record is the kernel's, and so outlives this process. */
  put(key: string, value: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ key, value, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#gathered.length > 0) {
      const entries = this.#gathered;
      this.#gathered = [];
      try {
        await this.#metadata.batch(entries.map(({ key, value }) => ({ type: 'put', key, value })));
        for (const { resolve } of entries) resolve();
      } catch (error) {
        for (const { reject } of entries) reject(error);
      }
    }
    this.#isWriting = false;
  }
}
