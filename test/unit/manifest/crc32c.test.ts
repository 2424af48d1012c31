import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c } from '../../../src/manifest/crc32c.ts';

it.each([
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['ascending', Buffer.from(Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e],
  ['descending', Buffer.from(Array.from({ length: 32 }, (_, at) => 31 - at)), 0x113fdb5c],
  ['the check value', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('is what RFC 3720, B.4 and the catalogue of CRCs say: %s', (_, bytes, crc) => {
  expect(crc32c(bytes)).toBe(crc);
});

it('does not depend on alignment, nor on where the bytes are cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), fc.nat(200), (bytes, shift, cut) => {
      const shifted = Buffer.from(new ArrayBuffer(bytes.length + shift)).subarray(shift);
      shifted.set(bytes);
      const bitwise = bytesOneByOne(bytes);
      expect(crc32c(shifted)).toBe(bitwise);
      expect(crc32c(shifted.subarray(cut), crc32c(shifted.subarray(0, cut)))).toBe(bitwise);
    }),
  );
});

/** The definition, a bit at a time. */
function bytesOneByOne(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
