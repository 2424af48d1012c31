import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ZERO_BLOCK_DIGEST } from '../../src/base/digest.ts';
import { loadNative } from '../../src/engine/load-native.ts';
import { ZERO_BLOCK_DATA } from '../../src/engine/zero-block.ts';
import { fill } from '../support/disk-content.ts';
import { seededRandom } from '../support/seeded-random.ts';

const binding = loadNative();

/** Messages and digests of NIST's examples for SHA-256 (FIPS 180-4) and of its CAVS short-message test. */
const NIST_VECTORS: readonly (readonly [string, Buffer, string])[] = [
  [
    'the empty message',
    Buffer.alloc(0),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ],
  ['abc', Buffer.from('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    '448 bits',
    Buffer.from('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  [
    '896 bits',
    Buffer.from(
      'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn' +
        'hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    ),
    'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
  ],
  [
    'a million times a',
    Buffer.alloc(1_000_000, 'a'),
    'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  ],
  [
    'one byte, bd',
    Buffer.from('bd', 'hex'),
    '68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b',
  ],
  [
    'four bytes, c98c8e55',
    Buffer.from('c98c8e55', 'hex'),
    '7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504',
  ],
];

describe.each(binding.sha256Kernels.map((name, kernel) => ({ name, kernel })))(
  'SHA-256 kernel $name',
  ({ kernel }) => {
    it.each(NIST_VECTORS)('hashes %s', (_, message, digest) => {
      expect(toHex(binding.sha256(kernel, [message]))).toBe(digest);
    });

    it('hashes the zero block to the constant', () => {
      expect(binding.sha256(kernel, [ZERO_BLOCK_DATA])).toEqual(new Uint8Array(ZERO_BLOCK_DIGEST));
    });

    it('agrees with OpenSSL for 10,000 lengths, alignments and numbers of messages', () => {
      const random = seededRandom(2_024);
      const below = (limit: number): number => Math.floor(random() * limit);
      const noise = fill(Buffer.alloc(1 << 16), 3);
      const wrong: string[] = [];
      for (let trial = 0; trial < 10_000; trial += 1) {
        const length = below(trial % 10 === 0 ? 9_000 : 300);
        const starts = Array.from({ length: 1 + below(5) }, () => below(noise.length - length));
        const messages = starts.map((start) => noise.subarray(start, start + length));
        const expected = Buffer.concat(messages.map(openssl));
        if (expected.equals(binding.sha256(kernel, messages))) continue;
        wrong.push(`length ${length} at ${starts.join(', ')}`);
      }
      expect(wrong).toEqual([]);
    });
  },
);

describe.each(binding.zeroScanKernels.map((name, kernel) => ({ name, kernel })))(
  'zero-scan kernel $name',
  ({ kernel }) => {
    it('finds zeros of any length and alignment', () => {
      const zeros = Buffer.alloc(4096);
      const wrong: string[] = [];
      for (let start = 0; start < 40; start += 1) {
        for (let length = 0; length < 600; length += 1) {
          if (!binding.isZero(kernel, zeros.subarray(start, start + length))) {
            wrong.push(`${length} bytes at ${start}`);
          }
        }
      }
      expect(wrong).toEqual([]);
      expect(binding.isZero(kernel, ZERO_BLOCK_DATA)).toBe(true);
    });

    it('sees each single bit on both sides of a page border', () => {
      const bytes = Buffer.alloc(3 * 4096);
      const missed: string[] = [];
      for (let offset = 4096 - 300; offset < 4096 + 300; offset += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          bytes[offset] = 1 << bit;
          if (binding.isZero(kernel, bytes)) missed.push(`bit ${bit} of byte ${offset}`);
        }
        bytes[offset] = 0;
      }
      expect(missed).toEqual([]);
    });

    it('sees a byte anywhere in a message of any length, and none beside it', () => {
      const bytes = Buffer.alloc(1024);
      const wrong: string[] = [];
      for (let length = 1; length < 400; length += 7) {
        for (let offset = 0; offset < length; offset += 1) {
          bytes[13 + offset] = 255;
          if (binding.isZero(kernel, bytes.subarray(13, 13 + length))) wrong.push(`${offset}`);
          bytes[13 + offset] = 0;
        }
        bytes[12] = bytes[13 + length] = 255;
        if (!binding.isZero(kernel, bytes.subarray(13, 13 + length))) wrong.push(`${length}`);
        bytes[12] = bytes[13 + length] = 0;
      }
      expect(wrong).toEqual([]);
    });
  },
);

function openssl(message: Uint8Array): Buffer {
  return createHash('sha256').update(message).digest();
}

function toHex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}
