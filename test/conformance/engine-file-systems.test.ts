import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { sha256, toHex } from '../../src/base/digest.ts';
import type { ReadOptions } from '../../src/engine/engine.ts';
import { loadEngine } from '../../src/engine/load-engine.ts';
import { diskOf } from '../support/disk-content.ts';
import { canUseLoopDevices, makeFileSystem, type FileSystem } from '../support/loop-device.ts';
import { haveTools } from '../support/required-tool.ts';

/** Data and zeros, of which the zeros are never written. */
const DISK = diskOf('ddd0000dd0d');

/** Ends of a file: on a block, a page and a sector, and beside each. */
const TAILS = [0, 1, 511, 512, 4096, 5 * 4096 + 3 * 512, BLOCK_SIZE - 1];

/** First block and count. */
const RANGES = [
  [0, 1],
  [1, 4],
  [3, 3],
  [5, 2],
  [7, 400],
  [10, 1],
] as const;

describe.skipIf(!canUseLoopDevices)('files on', () => {
  it.for<FileSystem>(['ext4', 'xfs', 'btrfs'])(
    '%s are read in whole and in ranges, whatever their tail',
    async (fileSystem, { skip }) => {
      skip(!(await haveTools(`mkfs.${fileSystem}`)));
      const path = join(await makeFileSystem(fileSystem), 'disk.img');
      for (const tail of TAILS) {
        const content = DISK.subarray(0, 10 * BLOCK_SIZE + tail);
        await writeSparse(path, content);
        const all = digestsOf(content);
        expect(await digestsRead(path), `tail of ${tail} bytes`).toEqual(all);
        for (const [firstBlock, blockCount] of RANGES) {
          const seen = await digestsRead(path, { firstBlock, blockCount });
          const range = `tail of ${tail} bytes, blocks from ${firstBlock}`;
          expect(seen, range).toEqual(all.slice(firstBlock, firstBlock + blockCount));
        }
      }
    },
  );
});

/** Writes the blocks that have a byte set; the rest becomes holes. */
async function writeSparse(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'w');
  for (let offset = 0; offset < content.length; offset += BLOCK_SIZE) {
    const block = content.subarray(offset, offset + BLOCK_SIZE);
    if (block.some((byte) => byte !== 0)) await file.write(block, 0, block.length, offset);
  }
  await file.truncate(content.length);
  await file.close();
}

function digestsOf(content: Buffer): string[] {
  return Array.from({ length: Math.ceil(content.length / BLOCK_SIZE) }, (_, index) => {
    const block = Buffer.alloc(BLOCK_SIZE);
    content.copy(block, 0, index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE);
    return `${index}:${toHex(sha256(block))}`;
  });
}

/** Reads with few buffers, and hashes what was read anew: the engine's own digest must be of these bytes. */
async function digestsRead(path: string, options: ReadOptions = {}): Promise<string[]> {
  const maxBufferBytes = 3 * BLOCK_SIZE;
  const reader = await loadEngine({ engine: 'native' }).openReader(path, {
    maxBufferBytes,
    ...options,
  });
  onTestFinished(() => reader.close());
  const seen: string[] = [];
  for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
    for (const { index, data, digest } of blocks) {
      expect(toHex(sha256(data))).toBe(toHex(digest));
      seen.push(`${index}:${toHex(digest)}`);
    }
    for (const block of blocks) block.release();
  }
  await reader.close();
  return seen;
}
