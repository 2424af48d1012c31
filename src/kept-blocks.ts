import type { Engine, EngineReader } from './engine/engine.ts';

/** Blocks skipped by reading on; over more of them the target is opened anew. */
const READ_ON_MAX = 64;

/** Bytes read ahead of the block that is asked for: little enough beside the budget of the blocks under way. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024;

/**
 * Tells what a target holds by reading it: the one way that cannot be deceived, whatever was done to it since it was
 * written. It is read at the speed of the disk and hashed by the engine, and its holes are not read.
 */
export class KeptBlocks {
  readonly #engine: Engine;
  readonly #path: string;
  #reader: EngineReader | undefined;
  /** Read, and not yet asked for. */
  #digests = new Map<number, Uint8Array>();
  #nextIndex = 0;
  #isUnreadable = false;

  constructor(engine: Engine, path: string) {
    this.#engine = engine;
    this.#path = path;
  }

  /** Whether the block has this digest. Blocks are asked for in ascending order, each before it is written. */
  async has(blockIndex: number, digest: Uint8Array): Promise<boolean> {
    if (this.#isUnreadable) return false;
    try {
      const found = await this.#digestOf(blockIndex);
      return found !== undefined && Buffer.compare(found, digest) === 0;
    } catch {
      // What cannot be read is written again, which is all that can be done for a bad sector. A disk that is gone
      // fails then.
      this.#isUnreadable = true;
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#reader?.close();
  }

  async #digestOf(blockIndex: number): Promise<Uint8Array | undefined> {
    if (this.#reader === undefined || blockIndex - this.#nextIndex > READ_ON_MAX) {
      await this.#openAt(blockIndex);
    }
    while (this.#nextIndex <= blockIndex) {
      if (!(await this.#readSome())) return undefined;
    }
    const digest = this.#digests.get(blockIndex);
    for (const index of this.#digests.keys()) {
      if (index > blockIndex) break;
      this.#digests.delete(index);
    }
    return digest;
  }

  async #openAt(firstBlock: number): Promise<void> {
    await this.#reader?.close();
    this.#digests.clear();
    this.#nextIndex = firstBlock;
    const options = { firstBlock, maxBufferBytes: READ_AHEAD_BYTES };
    this.#reader = await this.#engine.openReader(this.#path, options);
  }

  /** Returns whether there was anything left to read. */
  async #readSome(): Promise<boolean> {
    const blocks = (await this.#reader?.next()) ?? [];
    for (const block of blocks) {
      this.#digests.set(block.index, block.digest);
      this.#nextIndex = block.index + 1;
      block.release();
    }
    return blocks.length > 0;
  }
}
