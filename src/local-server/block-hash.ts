import { createHash, webcrypto } from 'node:crypto';
import { loadEngine } from '../engine/load-engine.ts';
import { BLOCK_SIZE } from './wire-table.ts';

/** Returns the SHA-256 (32 bytes) of one block, computed off the JavaScript thread. The block must not change meanwhile. */
export type HashBlock = (block: Uint8Array) => Promise<Buffer>;

/**
 * Chooses what hashes: the native engine when it is there, else Node's thread pool. The JavaScript engine is no help, for
 * it hashes on the thread that must answer.
 */
export function chooseBlockHash(): HashBlock {
  const engine = loadEngine({ engine: 'auto', onWarning: () => undefined });
  if (engine.name !== 'native') return hashWithNode;
  return async (block) => {
    const [facts] = await engine.inspect([block]);
    if (facts === undefined) throw new Error('The engine returned no facts of a block.');
    const { buffer, byteOffset, length } = facts.digest;
    return Buffer.from(buffer, byteOffset, length);
  };
}

/** Hashes on Node's own thread pool. */
export const hashWithNode: HashBlock = async (block) =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', block as Uint8Array<ArrayBuffer>));

/** Hashes any body: whole blocks through `hashBlock`, the few short ones here. */
export async function hashBody(body: Uint8Array, hashBlock: HashBlock): Promise<Buffer> {
  if (body.length === BLOCK_SIZE) return hashBlock(body);
  return createHash('sha256').update(body).digest();
}
