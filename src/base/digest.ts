import { createHash } from 'node:crypto';
import { BLOCK_SIZE } from './constants.ts';

/** SHA-256 of one block of zeros: 32 bytes. Holes and zero blocks are never hashed. */
export const ZERO_BLOCK_DIGEST: Uint8Array = sha256(new Uint8Array(BLOCK_SIZE));

/** Returns the SHA-256 of `bytes` (32 bytes), on the calling thread: for single blocks and tests, not the data path. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** Writes a digest as base64, the form of the x-amz-Checksum headers. */
export function toBase64(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('base64');
}

/** Writes a digest as lower-case hex, the form of x-amz-content-sha256. */
export function toHex(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex');
}
