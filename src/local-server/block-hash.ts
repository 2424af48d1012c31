import { createHash, webcrypto } from 'node:crypto';
import { BLOCK_SIZE } from './wire-table.ts';

/** Returns the SHA-256 (32 bytes) of one block, computed off the JavaScript thread. The block must not change meanwhile. */
export type HashBlock = (block: Uint8Array) => Promise<Buffer>;

/** Hashes on Node's own thread pool. */
export const hashWithNode: HashBlock = async (block) =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', block as Uint8Array<ArrayBuffer>));

/** Hashes any body: whole blocks through `hashBlock`, the few short ones here. */
export async function hashBody(body: Uint8Array, hashBlock: HashBlock): Promise<Buffer> {
  if (body.length === BLOCK_SIZE) return hashBlock(body);
  return createHash('sha256').update(body).digest();
}
