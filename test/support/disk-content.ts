import { BLOCK_SIZE } from '../../src/index.ts';
import { sha256, toBase64 } from '../../src/base/digest.ts';
import { seededRandom } from './seeded-random.ts';

/** Makes a disk of the given kinds of blocks: `d` data, `0` zeros. Different for each seed and index. */
export function diskOf(kinds: string, seed = 1): Buffer {
  const disk = Buffer.alloc(kinds.length * BLOCK_SIZE);
  kinds.split('').forEach((kind, index) => {
    if (kind === 'd')
      fill(disk.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE), seed + index);
  });
  return disk;
}

/** Fills a buffer with bytes that depend on the seed alone. */
export function fill(bytes: Buffer, seed: number): Buffer {
  const random = seededRandom(seed);
  for (let offset = 0; offset + 4 <= bytes.length; offset += 4) {
    bytes.writeUInt32LE(Math.floor(random() * 4_294_967_296), offset);
  }
  return bytes;
}

/** What the service must have acknowledged for a disk, as `index:digest`; a short tail is padded. */
export function expectedPuts(disk: Uint8Array, { omitZeros = false } = {}): string[] {
  const puts: string[] = [];
  for (let index = 0; index * BLOCK_SIZE < disk.length; index += 1) {
    const block = Buffer.alloc(BLOCK_SIZE);
    block.set(disk.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE));
    if (omitZeros && block.every((byte) => byte === 0)) continue;
    puts.push(`${index}:${toBase64(sha256(block))}`);
  }
  return puts;
}

/** Cuts bytes into chunks of the given length, the last one shorter. */
export function* chunksOf(bytes: Buffer, length: number): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += length) {
    yield bytes.subarray(offset, offset + length);
  }
}
