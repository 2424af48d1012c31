import { createHash } from 'node:crypto';
import { writeWhole } from '../engine/whole-write.ts';
import type { BlockDestination } from '../engine/engine.ts';
import type { BlockHasher } from './block-hasher.ts';
import { BLOCK_SIZE } from './wire-table.ts';

/**
 * The bytes of a body, which are hashed once, when something first needs to know: a block that is put is as a rule hashed
 * by the thread that writes it. They must not change as long as a promise is out.
 */
export class HashedBytes {
  readonly bytes: Uint8Array;
  readonly #hasher: BlockHasher;
  #digest: Buffer | undefined;

  constructor(bytes: Uint8Array, hasher: BlockHasher) {
    this.bytes = bytes;
    this.#hasher = hasher;
  }

  /** Returns the SHA-256: of whole blocks from another thread, of the few short bodies from this one. */
  async digest(): Promise<Buffer> {
    this.#digest ??=
      this.bytes.length === BLOCK_SIZE
        ? await this.#hasher.hash(this.bytes)
        : createHash('sha256').update(this.bytes).digest();
    return this.#digest;
  }

  /**
   * Writes one block unless its digest is another than expected. Resolves to whether it is the one expected, and then its
   * bytes are the kernel's, so that they outlive this process.
   */
  async save(destination: BlockDestination): Promise<boolean> {
    const { fd, offset, expectedDigest } = destination;
    if (this.#digest === undefined) {
      this.#digest = await this.#hasher.save(this.bytes, destination);
      return this.#digest.equals(expectedDigest);
    }
    if (!this.#digest.equals(expectedDigest)) return false;
    await writeWhole(fd, this.bytes, offset);
    return true;
  }
}
