import { webcrypto } from 'node:crypto';
import { writeWhole } from '../engine/whole-write.ts';
import type { BlockDestination, BlockFacts } from '../engine/engine.ts';
import { loadEngine } from '../engine/load-engine.ts';

/** Hashes blocks off the JavaScript thread. They must not change meanwhile. */
export interface BlockHasher {
  /** Returns the SHA-256 (32 bytes) of one block. */
  hash(block: Uint8Array): Promise<Buffer>;
  /**
   * Returns the SHA-256 of one block, and writes it unless that is another than expected. Resolves when the bytes are the
   * kernel's, so that they outlive this process.
   */
  save(block: Uint8Array, destination: BlockDestination): Promise<Buffer>;
}

/**
 * Chooses what hashes: the native engine when it is there, else Node's thread pool. The JavaScript engine is no help, for
 * it hashes on the thread that must answer.
 */
export function chooseBlockHasher(): BlockHasher {
  const engine = loadEngine({ engine: 'auto', onWarning: () => undefined });
  if (engine.name !== 'native') return NODE_HASHER;
  return {
    async hash(block) {
      const [facts] = await engine.inspect([block]);
      if (facts === undefined) throw new Error('The engine returned no facts of a block.');
      return digestOf(facts);
    },
    async save(block, destination) {
      return digestOf(await engine.save(block, destination));
    },
  };
}

/** Hashes and writes on Node's own thread pool. */
export const NODE_HASHER: BlockHasher = {
  async hash(block) {
    return Buffer.from(await webcrypto.subtle.digest('SHA-256', block as Uint8Array<ArrayBuffer>));
  },
  async save(block, { fd, offset, expectedDigest }) {
    const digest = await NODE_HASHER.hash(block);
    if (digest.equals(expectedDigest)) await writeWhole(fd, block, offset);
    return digest;
  },
};

function digestOf({ digest }: BlockFacts): Buffer {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length);
}
