import { execFile } from 'node:child_process';
import { constants, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { BlockPool } from '../../src/engine/block-pool.ts';
import type { Engine, EngineWriter } from '../../src/engine/engine.ts';
import { diskOf, fill } from '../support/disk-content.ts';
import { attachLoopDevice, canUseLoopDevices, mount } from '../support/loop-device.ts';
import { openFilesBelow } from '../support/open-files.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);

/** Bytes that stand for what was there before. */
const OLD = 0xee;

/** How every engine writes. */
export function describeWriter(name: string, makeEngine: () => Engine): void {
  describe(`writer of engine: ${name}`, () => {
    const engine = makeEngine();

    it('writes blocks in any order, many at a time', async () => {
      const disk = diskOf('ddddddddddddddddddd', 7);
      const path = await oldFile(disk.length);
      const writer = await openTested(engine, path);
      const indices = shuffled(disk.length / BLOCK_SIZE);
      await Promise.all(indices.map((i) => writer.write(i * BLOCK_SIZE, blockOf(disk, i))));
      await writer.sync();
      await writer.close();
      expect((await readFile(path)).equals(disk)).toBe(true);
    });

    it.each([
      ['one byte', 0, 1],
      ['less than a sector in the middle', 5000, 77],
      ['whole sectors of 512', 512 * 3, 512 * 9],
      ['across pages and blocks', 4095, BLOCK_SIZE + 2],
      ['a block and a tail', BLOCK_SIZE, BLOCK_SIZE + 777],
      ['several blocks in one call', 0, 3 * BLOCK_SIZE + 4096],
    ])('writes %s, and nothing beside it', async (_, offset, length) => {
      const path = await oldFile(4 * BLOCK_SIZE + 4096);
      const data = fill(Buffer.alloc(length + 4), length).subarray(0, length);
      const writer = await openTested(engine, path);
      await writer.write(offset, data);
      await writer.close();
      const expected = Buffer.alloc(4 * BLOCK_SIZE + 4096, OLD);
      expected.set(data, offset);
      expect((await readFile(path)).equals(expected)).toBe(true);
    });

    it('writes from memory of any alignment, and from the slots of a pool', async () => {
      const path = await oldFile(3 * BLOCK_SIZE);
      const pool = new BlockPool({ maxBytes: BLOCK_SIZE });
      const lease = await pool.lease();
      fill(lease.bytes, 1);
      const odd = fill(Buffer.alloc(BLOCK_SIZE + 3), 2).subarray(3);
      const writer = await openTested(engine, path);
      await Promise.all([writer.write(0, lease.bytes), writer.write(BLOCK_SIZE, odd)]);
      await writer.close();
      const expected = Buffer.concat([lease.bytes, odd, Buffer.alloc(BLOCK_SIZE, OLD)]);
      expect((await readFile(path)).equals(expected)).toBe(true);
      lease.release();
    });

    it.each([
      ['pages', 4096, 2 * BLOCK_SIZE],
      ['odd ends', 100, 3 * BLOCK_SIZE + 7],
      ['the end', 3 * BLOCK_SIZE, BLOCK_SIZE],
      ['nothing', BLOCK_SIZE, 0],
    ])('clears a range of %s, and nothing beside it', async (_, offset, length) => {
      const path = await oldFile(4 * BLOCK_SIZE);
      const writer = await openTested(engine, path);
      await writer.clear({ offset, length });
      await writer.close();
      const expected = Buffer.alloc(4 * BLOCK_SIZE, OLD).fill(0, offset, offset + length);
      expect((await readFile(path)).equals(expected)).toBe(true);
    });

    it('leaves holes as they are when it clears them', async () => {
      const path = join(await temporaryFolder(), 'holes.img');
      await writeFile(path, '');
      await truncate(path, 64 * BLOCK_SIZE);
      const writer = await openTested(engine, path);
      await writer.clear({ offset: 0, length: 64 * BLOCK_SIZE });
      await writer.close();
      expect(await stat(path)).toMatchObject({ size: 64 * BLOCK_SIZE, blocks: 0 });
    });

    it('tells errno, call and place of a write that fails', async () => {
      const writer = await openTested(engine, await oldFile(4096));
      // No file is that large, on any file system.
      const offset = 2 ** 53 - BLOCK_SIZE;
      await expect(writer.write(offset, Buffer.alloc(4096, 1))).rejects.toMatchObject({
        code: 'EFBIG',
        errno: -osConstants.errno.EFBIG,
        syscall: 'write',
        offset,
      });
    });

    it('waits for what is outstanding when it is closed, and takes nothing more', async () => {
      const disk = diskOf('dddddddd', 3);
      const path = await oldFile(disk.length);
      const writer = await openTested(engine, path);
      const writes = [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
        writer.write(i * BLOCK_SIZE, blockOf(disk, i)),
      );
      await writer.close();
      expect((await readFile(path)).equals(disk)).toBe(true);
      await Promise.all(writes);
      await expect(writer.write(0, Buffer.alloc(1))).rejects.toThrow('closed');
      await writer.close();
    });

    it('lets go of the file when it is closed', async () => {
      const folder = await temporaryFolder();
      const path = join(folder, 'disk.img');
      await writeFile(path, Buffer.alloc(BLOCK_SIZE));
      const handle = await open(path, 'r+');
      const writer = engine.openWriter(handle);
      await writer.write(0, Buffer.alloc(BLOCK_SIZE, 1));
      await writer.close();
      await handle.close();
      expect(await openFilesBelow(folder)).toEqual([]);
    });

    describe.skipIf(!canUseLoopDevices)('on devices and mounts (needs root)', () => {
      it.each(['512', '4096'])('writes a device with sectors of %s bytes', async (sector) => {
        const disk = diskOf('dd0ddd0d', 9).subarray(0, 7 * BLOCK_SIZE + 3 * 4096);
        const image = await oldFile(disk.length);
        const device = await attachWithSector(image, sector);
        const handle = await open(device, constants.O_RDWR | constants.O_EXCL);
        const writer = engine.openWriter(handle);
        for (const i of shuffled(8)) await writer.write(i * BLOCK_SIZE, blockOf(disk, i));
        await writer.sync();
        await writer.close();
        await handle.close();
        expect((await readFile(device)).equals(disk)).toBe(true);
        await run('blockdev', ['--flushbufs', device]);
        expect((await readFile(image)).equals(disk)).toBe(true);
      });

      it.each(['512', '4096'])('clears a device with sectors of %s bytes', async (sector) => {
        const image = await oldFile(4 * BLOCK_SIZE);
        const device = await attachWithSector(image, sector);
        const handle = await open(device, constants.O_RDWR | constants.O_EXCL);
        const writer = engine.openWriter(handle);
        await writer.clear({ offset: BLOCK_SIZE, length: 2 * BLOCK_SIZE });
        await writer.clear({ offset: 0, length: 4096 });
        // Not whole sectors: written.
        await writer.clear({ offset: 8192, length: 100 });
        await writer.sync();
        await writer.close();
        await handle.close();
        const expected = Buffer.alloc(4 * BLOCK_SIZE, OLD)
          .fill(0, 0, 4096)
          .fill(0, 8192, 8292)
          .fill(0, BLOCK_SIZE, 3 * BLOCK_SIZE);
        expect((await readFile(device)).equals(expected)).toBe(true);
      });

      it('writes and clears where nothing can go past the page cache', async () => {
        const folder = await temporaryFolder();
        await mount('tmpfs', folder, '-t', 'tmpfs', '-o', 'size=8m');
        const path = join(folder, 'disk.img');
        await writeFile(path, Buffer.alloc(4 * BLOCK_SIZE, OLD));
        const writer = await openTested(engine, path);
        const data = fill(Buffer.alloc(BLOCK_SIZE), 4);
        await writer.write(BLOCK_SIZE, data);
        await writer.clear({ offset: 2 * BLOCK_SIZE, length: BLOCK_SIZE });
        await writer.sync();
        await writer.close();
        const expected = Buffer.alloc(4 * BLOCK_SIZE, OLD).fill(0, 2 * BLOCK_SIZE, 3 * BLOCK_SIZE);
        expected.set(data, BLOCK_SIZE);
        expect((await readFile(path)).equals(expected)).toBe(true);
      });

      it('tells where a disk was full', async () => {
        const folder = await temporaryFolder();
        await mount('tmpfs', folder, '-t', 'tmpfs', '-o', 'size=768k');
        const path = join(folder, 'disk.img');
        await writeFile(path, '');
        await truncate(path, 4 * BLOCK_SIZE);
        const writer = await openTested(engine, path);
        await writer.write(0, Buffer.alloc(BLOCK_SIZE, 1));
        const failure = await writer
          .write(BLOCK_SIZE, Buffer.alloc(BLOCK_SIZE, 2))
          .catch((error: unknown) => error as NodeJS.ErrnoException & { offset: number });
        expect(failure).toMatchObject({ code: 'ENOSPC', errno: -osConstants.errno.ENOSPC });
        expect((failure as { offset: number }).offset).toBeGreaterThanOrEqual(BLOCK_SIZE);
        expect((failure as { offset: number }).offset).toBeLessThan(2 * BLOCK_SIZE);
      });
    });
  });
}

async function openTested(engine: Engine, path: string): Promise<EngineWriter> {
  const handle = await open(path, 'r+');
  const writer = engine.openWriter(handle);
  onTestFinished(async () => {
    await writer.close();
    await handle.close();
  });
  return writer;
}

/** A file full of old bytes. */
async function oldFile(sizeBytes: number): Promise<string> {
  const path = join(await temporaryFolder(), 'old.img');
  await writeFile(path, Buffer.alloc(sizeBytes, OLD));
  return path;
}

async function attachWithSector(path: string, sector: string): Promise<string> {
  const device = await attachLoopDevice(path);
  await run('losetup', ['--sector-size', sector, device]);
  return device;
}

function blockOf(disk: Buffer, index: number): Buffer {
  return disk.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE);
}

function shuffled(count: number): number[] {
  const random = seededRandom(count);
  const keyed = Array.from({ length: count }, (_, index) => ({ index, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ index }) => index);
}
