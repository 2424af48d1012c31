import { execFile } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { chmod, mkdir, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { SourceError } from '../../src/base/errors.ts';
import { BlockSet } from '../../src/engine/block-set.ts';
import { ZERO_BLOCK_DATA } from '../../src/engine/zero-block.ts';
import type { Block, Engine, EngineReader, ReadOptions } from '../../src/engine/engine.ts';
import { attachLoopDevice, canUseLoopDevices, mount } from '../support/loop-device.ts';
import { openFilesBelow } from '../support/open-files.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);

/** What is compared of a block once it is released. */
interface SeenBlock {
  readonly index: number;
  readonly isZero: boolean;
  readonly digest: string;
  /** Computed here from `data`, by OpenSSL. */
  readonly dataDigest: string;
}

/** The behaviour that every engine has, whatever its kernels. */
export function describeEngine(name: string, makeEngine: () => Engine): void {
  describe(`engine: ${name}`, () => {
    const engine = makeEngine();

    describe('reading', () => {
      it.each([
        ['one byte', 1],
        ['one byte short of a block', BLOCK_SIZE - 1],
        ['a block', BLOCK_SIZE],
        ['a block and a byte', BLOCK_SIZE + 1],
        ['an odd tail after four blocks', 4 * BLOCK_SIZE + 12_345],
        ['a tail of whole sectors', 5 * BLOCK_SIZE + 512 * 7],
        ['a tail of whole pages', 6 * BLOCK_SIZE + 4096 * 9],
        ['many blocks', 19 * BLOCK_SIZE],
      ])('pads the tail of %s', async (_, sizeBytes) => {
        const content = noise(sizeBytes, sizeBytes);
        const path = await fileOf(content);
        expect(await readAll(engine, path)).toEqual(blocksOf(content));
      });

      it('tells zero blocks from data, wherever they are in a run', async () => {
        const disk = diskOf('0d00ddd0d0000000dd0d0d0ddddd0');
        expect(await readAll(engine, await fileOf(disk))).toEqual(blocksOf(disk));
      });

      it('returns the end at once for an empty file, and again when asked again', async () => {
        const reader = await openTested(engine, await fileOf(Buffer.alloc(0)));
        expect(reader.sizeBytes).toBe(0);
        expect(await reader.next()).toEqual([]);
        expect(await reader.next()).toEqual([]);
      });

      it.each([1, 2, 3])('reads the selected blocks of a range alone (seed %i)', async (seed) => {
        const random = seededRandom(seed);
        const disk = diskOf('ddd0dddd0ddd000ddddddd0dd0d').subarray(0, 26 * BLOCK_SIZE + 77);
        const path = await fileOf(disk);
        const selected = new BlockSet(27);
        const share = random();
        for (let index = 0; index < 27; index += 1) if (random() < share) selected.add(index);
        for (const options of [{}, { firstBlock: 5, blockCount: 15 }, { firstBlock: 26 }]) {
          const { firstBlock = 0, blockCount = 27 } = options as ReadOptions;
          const expected = blocksOf(disk).filter(({ index }) => {
            return selected.has(index) && index >= firstBlock && index < firstBlock + blockCount;
          });
          expect(await readAll(engine, path, options, selected)).toEqual(expected);
        }
        expect(await readAll(engine, path, {}, new BlockSet(27))).toEqual([]);
      });

      it('reads ranges, and cuts them at the end', async () => {
        const disk = diskOf('ddd0dddd0ddd').subarray(0, 11 * BLOCK_SIZE + 77);
        const path = await fileOf(disk);
        const all = blocksOf(disk);
        for (const [firstBlock, blockCount] of [
          [0, 1],
          [3, 5],
          [5, 1],
          [11, 1],
          [7, 400],
          [12, 1],
          [4000, 4],
          [2, 0],
        ] as const) {
          const seen = await readAll(engine, path, { firstBlock, blockCount });
          expect(seen).toEqual(all.slice(firstBlock, firstBlock + blockCount));
        }
        expect(await readAll(engine, path, { firstBlock: 9 })).toEqual(all.slice(9));
      });

      it('reads holes as zeros, also those that begin and end inside a block', async () => {
        const content = diskOf('d0000000d000d0');
        const path = await fileOf(Buffer.alloc(0));
        const file = await open(path, 'r+');
        await file.write(content, 0, BLOCK_SIZE, 0);
        await file.write(content, 8 * BLOCK_SIZE + 5000, 100_000, 8 * BLOCK_SIZE + 5000);
        await file.write(content, 12 * BLOCK_SIZE, 1, 12 * BLOCK_SIZE);
        await file.truncate(14 * BLOCK_SIZE - 9);
        await file.close();
        const sparse = Buffer.alloc(14 * BLOCK_SIZE - 9);
        content.copy(sparse, 0, 0, BLOCK_SIZE);
        const [start, end] = [8 * BLOCK_SIZE + 5000, 8 * BLOCK_SIZE + 105_000];
        content.copy(sparse, start, start, end);
        content.copy(sparse, 12 * BLOCK_SIZE, 12 * BLOCK_SIZE, 12 * BLOCK_SIZE + 1);
        expect(await readAll(engine, path)).toEqual(blocksOf(sparse));
      });

      it('finds the last block of 64 TiB', async () => {
        const path = await fileOf(Buffer.alloc(0), '/dev/shm');
        const blockCount = 134_217_728;
        const file = await open(path, 'r+');
        await file.truncate(blockCount * BLOCK_SIZE);
        await file.write(Buffer.of(7), 0, 1, blockCount * BLOCK_SIZE - 1);
        await file.close();
        const options = { firstBlock: blockCount - 3 };
        const seen = await readAll(engine, path, options);
        expect(seen.map(({ index, isZero }) => [index, isZero])).toEqual([
          [blockCount - 3, true],
          [blockCount - 2, true],
          [blockCount - 1, false],
        ]);
      });

      it('reads with a single buffer', async () => {
        const disk = diskOf('dd0ddd00d');
        const path = await fileOf(disk);
        expect(await readAll(engine, path, { maxBufferBytes: 1 })).toEqual(blocksOf(disk));
      });

      it('waits while every buffer is leased, and goes on with the one released', async () => {
        const disk = diskOf('dddddd');
        const options = { maxBufferBytes: 3 * BLOCK_SIZE };
        const reader = await openTested(engine, await fileOf(disk), options);
        const held: Block[] = [];
        while (held.length < 3) held.push(...(await reader.next()));
        let isWaiting = true;
        const next = reader.next().finally(() => (isWaiting = false));
        const before = held.map(({ data }) => openssl(data));
        await turnsOfTheLoop();
        expect(isWaiting).toBe(true);
        held[1]?.release();
        const blocks = await next;
        expect(blocks.map(({ index }) => index)).toEqual([3]);
        // The released one's bytes are another block's by now; the others' are not.
        const isSame = held.map(({ data }, i) => openssl(data) === before[i]);
        expect(isSame).toEqual([true, false, true]);
        for (const block of [...held, ...blocks]) block.release();
      });

      it.each([1, 2, 3, 5])(
        'has never more than %i blocks out with as many buffers',
        async (slots) => {
          const disk = diskOf('ddd0dddddddddd00ddddd', slots);
          const options = { maxBufferBytes: slots * BLOCK_SIZE };
          const reader = await openTested(engine, await fileOf(disk), options);
          const random = seededRandom(slots);
          const held: Block[] = [];
          let dataCount = 0;
          for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
            held.push(...blocks.filter(({ kind }) => kind === 'data'));
            expect(held.length).toBeLessThanOrEqual(slots);
            expect(new Set(held.map(({ data }) => data.byteOffset)).size).toBe(held.length);
            if (held.length < slots) continue;
            // Held longest or not: its bytes are still its own.
            const [block] = held.splice(Math.floor(random() * slots), 1);
            expect(openssl(block?.data ?? Buffer.alloc(0))).toBe(toHex(block?.digest ?? disk));
            block?.release();
            dataCount += 1;
          }
          for (const block of held) block.release();
          expect(dataCount + held.length).toBe(18);
        },
      );

      it('fills more buffers at once when it may, and fewer once they have come home', async () => {
        const disk = diskOf('d'.repeat(16), 5);
        const options = { maxBufferBytes: 2 * BLOCK_SIZE };
        const reader = await openTested(engine, await fileOf(disk), options);
        const held: Block[] = [];
        const readUntil = async (count: number): Promise<void> => {
          while (held.length < count) held.push(...(await reader.next()));
          expect(held).toHaveLength(count);
        };
        await readUntil(2);
        reader.setMaxBufferBytes(7 * BLOCK_SIZE);
        await readUntil(7);
        expect(held.map(({ data }) => openssl(data))).toEqual(
          blocksOf(disk)
            .slice(0, 7)
            .map(({ digest }) => digest),
        );
        reader.setMaxBufferBytes(3 * BLOCK_SIZE);
        let isWaiting = true;
        const next = reader.next().finally(() => (isWaiting = false));
        for (const block of held.splice(3)) block.release();
        await turnsOfTheLoop();
        expect(isWaiting).toBe(true);
        held.pop()?.release();
        const blocks = await next;
        expect(blocks.map(({ index }) => index)).toEqual([7]);
        for (const block of [...held, ...blocks]) block.release();
      });

      it('takes a second release of a block for nothing', async () => {
        const disk = diskOf('dddd');
        const options = { maxBufferBytes: BLOCK_SIZE };
        const reader = await openTested(engine, await fileOf(disk), options);
        const digests: string[] = [];
        for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
          for (const block of blocks) {
            digests.push(openssl(block.data));
            block.release();
            block.release();
          }
        }
        expect(digests).toEqual(blocksOf(disk).map(({ digest }) => digest));
      });

      it('refuses numbers out of their range', async () => {
        const path = await fileOf(diskOf('d'));
        for (const options of [
          { firstBlock: -1 },
          { firstBlock: 0.5 },
          { blockCount: -1 },
          { blockCount: Number.NaN },
          { maxBufferBytes: 0 },
          { maxBufferBytes: Number.NaN },
        ]) {
          await expect(engine.openReader(path, options)).rejects.toThrow(RangeError);
        }
        const reader = await openTested(engine, path);
        for (const bytes of [0, -1, Number.NaN, Infinity]) {
          expect(() => reader.setMaxBufferBytes(bytes)).toThrow(RangeError);
        }
      });
    });

    describe('opening', () => {
      it('says that a file is missing', async () => {
        const path = join(await temporaryFolder(), 'disk.img');
        await expectOpenError(engine, path, 'ENOENT', `${path}: no such file or directory`);
      });

      it('refuses a folder', async () => {
        const path = await temporaryFolder();
        const message = `${path}: is a folder, not a file or block device`;
        await expectOpenError(engine, path, 'EISDIR', message);
      });

      it('refuses a character device, a pipe and a socket', async () => {
        const folder = await temporaryFolder();
        const pipe = join(folder, 'pipe');
        await run('mkfifo', [pipe]);
        const socket = join(folder, 'socket');
        const server = createServer().listen(socket);
        await once(server, 'listening');
        onTestFinished(() => void server.close());
        for (const path of ['/dev/zero', pipe, socket]) {
          const reason = 'is a pipe, socket or character device; pipe it through stdin instead';
          await expectOpenError(engine, path, 'ESPIPE', `${path}: ${reason}`);
        }
      });

      it('says that permission is denied', async () => {
        const path = await fileOf(diskOf('d'));
        await chmod(path, 0);
        // Root may read anything, so that root is not who tries.
        if (process.getuid?.() === 0) {
          process.seteuid?.(65_534);
          onTestFinished(() => process.seteuid?.(0));
        }
        await expectOpenError(engine, path, 'EACCES', `${path}: permission denied`);
      });

      it('leaves no file open, whether it opens or not', async () => {
        const folder = await temporaryFolder();
        const path = join(folder, 'disk.img');
        await writeFile(path, diskOf('dddddddd'));
        for (let i = 0; i < 5; i += 1) {
          const reader = await engine.openReader(path, { firstBlock: i });
          await reader.next();
          await reader.close();
          await expect(engine.openReader(folder)).rejects.toThrow(SourceError);
        }
        expect(await openFilesBelow(folder)).toEqual([]);
      });
    });

    describe('failing', () => {
      it('reports a file that was cut short while it was read, after the blocks before', async () => {
        const disk = diskOf('dddddddddddddddd');
        const path = await fileOf(disk);
        const options = { maxBufferBytes: 4 * BLOCK_SIZE };
        const reader = await openTested(engine, path, options);
        const held: Block[] = [];
        while (held.length < 4) held.push(...(await reader.next()));
        await truncate(path, 6 * BLOCK_SIZE + 100);
        for (const block of held) block.release();
        const { seen, error } = await readUntilFailure(reader);
        expect(seen).toEqual(blocksOf(disk).slice(4, seen.length + 4));
        expect(seen.length).toBeLessThanOrEqual(2);
        expect(error).toMatchObject({
          name: 'SourceError',
          code: 'ERR_EBS_SOURCE_READ',
          path,
          offset: 6 * BLOCK_SIZE + 100,
          errno: constants.errno.ENODATA,
          syscall: 'read',
          retryable: false,
        });
        expect((error as Error).message).toBe(
          `${path}: it became shorter while it was read: nothing is left at byte 3145828`,
        );
        await expect(reader.next()).rejects.toThrow('became shorter');
      });

      it('names the caller in the stack of a read error', async () => {
        const path = await fileOf(diskOf('d'));
        const reader = await openTested(engine, path);
        await truncate(path, 0);
        async function callerOfNext(): Promise<void> {
          await reader.next();
        }
        const error = await callerOfNext().catch((reason: unknown) => reason as Error);
        expect(error?.stack).toContain('callerOfNext');
      });
    });

    describe('closing', () => {
      it('closes twice', async () => {
        const reader = await engine.openReader(await fileOf(diskOf('ddd')));
        await Promise.all([reader.close(), reader.close()]);
        await reader.close();
      });

      it('aborts a read that is under way', async () => {
        const options = { maxBufferBytes: BLOCK_SIZE };
        const reader = await engine.openReader(await fileOf(diskOf('dddd')), options);
        const [block] = await reader.next();
        const next = reader.next();
        const outcome = expect(next).rejects.toMatchObject({ name: 'AbortError' });
        await reader.close();
        await outcome;
        block?.release();
      });

      it('rejects a read after the end of it all', async () => {
        const reader = await engine.openReader(await fileOf(diskOf('dddd')));
        await reader.close();
        await expect(reader.next()).rejects.toMatchObject({ name: 'AbortError' });
      });

      it('leaves the blocks that were handed out as they are', async () => {
        const disk = diskOf('dd');
        const reader = await engine.openReader(await fileOf(disk));
        const blocks: Block[] = [];
        while (blocks.length < 2) blocks.push(...(await reader.next()));
        await reader.close();
        expect(blocks.map(({ data }) => openssl(data))).toEqual(
          blocksOf(disk).map(({ digest }) => digest),
        );
        for (const block of blocks) block.release();
      });

      it('leaves its buffers to the next reader, but not before its blocks are released', async () => {
        const path = await fileOf(diskOf('d'));
        const readOne = async (): Promise<Block> => {
          const reader = await engine.openReader(path, { maxBufferBytes: 3 * BLOCK_SIZE });
          const [block] = await reader.next();
          await reader.close();
          if (block === undefined) throw new Error('there is a block');
          return block;
        };
        const first = await readOne();
        const second = await readOne();
        expect(second.data.buffer).not.toBe(first.data.buffer);
        first.release();
        const third = await readOne();
        expect(third.data.buffer).toBe(first.data.buffer);
        for (const block of [second, third]) block.release();
      });
    });

    describe('inspecting', () => {
      it('returns nothing for nothing', async () => {
        expect(await engine.inspect([])).toEqual([]);
      });

      it('finds zeros and digests, in the order of the blocks', async () => {
        const disk = diskOf('d0dd000ddddd0d', 5);
        const blocks = Array.from({ length: disk.length / BLOCK_SIZE }, (_, i) =>
          disk.subarray(i * BLOCK_SIZE, (i + 1) * BLOCK_SIZE),
        );
        const facts = await engine.inspect(blocks);
        expect(facts.map(({ isZero, digest }) => ({ isZero, digest: toHex(digest) }))).toEqual(
          blocksOf(disk).map(({ isZero, digest }) => ({ isZero, digest })),
        );
      });

      it('keeps many calls apart', async () => {
        const blocks = Array.from({ length: 24 }, (_, i) => diskOf(i % 5 === 0 ? '0' : 'd', i));
        const facts = await Promise.all(blocks.map((block) => engine.inspect([block])));
        expect(facts.map(([fact]) => toHex(fact?.digest ?? Buffer.alloc(0)))).toEqual(
          blocks.map(openssl),
        );
      });

      it('sees one set bit, in the first and in the last byte', async () => {
        const first = Buffer.alloc(BLOCK_SIZE);
        first[0] = 1;
        const last = Buffer.alloc(BLOCK_SIZE);
        last[BLOCK_SIZE - 1] = 128;
        const facts = await engine.inspect([first, Buffer.alloc(BLOCK_SIZE), last]);
        expect(facts.map(({ isZero }) => isZero)).toEqual([false, true, false]);
      });
    });

    describe('saving', () => {
      it.each(['data', 'zero'])(
        'writes a %s block in its place and nothing beside it',
        async (kind) => {
          const block = diskOf(kind === 'zero' ? '0' : 'd', 11);
          const before = Buffer.alloc(3 * BLOCK_SIZE, 0xee);
          const path = await fileOf(before);
          const facts = await saveTo(engine, path, block, openssl(block));
          expect(facts).toEqual({ isZero: kind === 'zero', digest: openssl(block) });
          block.copy(before, SAVED_OFFSET);
          expect((await readFile(path)).equals(before)).toBe(true);
        },
      );

      it.each([
        ['d', '0'],
        ['0', 'd'],
        ['d', 'd'],
      ])('writes nothing of another block than the one expected: %s for %s', async (is, wanted) => {
        const block = diskOf(is, 12);
        const before = Buffer.alloc(3 * BLOCK_SIZE, 0xee);
        const path = await fileOf(before);
        const facts = await saveTo(engine, path, block, openssl(diskOf(wanted, 13)));
        expect(facts).toEqual({ isZero: is === '0', digest: openssl(block) });
        expect((await readFile(path)).equals(before)).toBe(true);
      });

      it('tells the error of the system', async () => {
        const block = diskOf('d', 14);
        const path = await fileOf(Buffer.alloc(0));
        const errno = -constants.errno.EBADF;
        await expect(saveTo(engine, path, block, openssl(block), 'r')).rejects.toMatchObject({
          code: 'EBADF',
          errno,
        });
      });
    });

    describe.skipIf(!canUseLoopDevices)('devices and mounts', () => {
      it.each(['512', '4096'])('reads a block device with sectors of %s bytes', async (sector) => {
        const disk = diskOf('dd0ddd0d').subarray(0, 7 * BLOCK_SIZE + 3 * 4096);
        const device = await attachWithSector(await fileOf(disk), sector);
        const reader = await openTested(engine, device);
        expect(reader).toMatchObject({ sizeBytes: disk.length, isBlockDevice: true });
        expect(await readRest(reader)).toEqual(blocksOf(disk));
      });

      it('reads an odd number of small sectors', async () => {
        const disk = diskOf('dd0d').subarray(0, 3 * BLOCK_SIZE + 5 * 512);
        const device = await attachLoopDevice(await fileOf(disk));
        expect(await readAll(engine, device)).toEqual(blocksOf(disk));
      });

      it('reads on a file system that knows no direct reads', async () => {
        const folder = join(await temporaryFolder(), 'ram');
        await mkdir(folder);
        await mount('none', folder, '-t', 'ramfs');
        const disk = diskOf('d00ddddd').subarray(0, 8 * BLOCK_SIZE - 1);
        const path = join(folder, 'disk.img');
        await writeFile(path, disk);
        const reader = await openTested(engine, path);
        expect(reader.isDirect).toBe(false);
        expect(await readRest(reader)).toEqual(blocksOf(disk));
        await reader.close();
      });

      it('reports a device that was unplugged while it was read', async () => {
        const path = await fileOf(diskOf('dddddddddddd'));
        const { stdout } = await run('losetup', ['--find', '--show', path]);
        const device = stdout.trim();
        const options = { maxBufferBytes: 4 * BLOCK_SIZE };
        const reader = await openTested(engine, device, options);
        const held: Block[] = [];
        while (held.length < 4) held.push(...(await reader.next()));
        // The device is gone for good only when nobody has it open; its file is gone at once.
        await truncate(path, 5 * BLOCK_SIZE);
        await run('losetup', ['--set-capacity', device]);
        await run('losetup', ['--detach', device]);
        for (const block of held) block.release();
        const { error } = await readUntilFailure(reader);
        expect(error).toMatchObject({ code: 'ERR_EBS_SOURCE_READ', path: device });
        await reader.close();
      });
    });
  });
}

/** Bytes that depend on the seed alone. */
function noise(sizeBytes: number, seed: number): Buffer {
  const key = createHash('md5').update(String(seed)).digest();
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

/** A disk of the given kinds of blocks: `d` data, `0` zeros. */
function diskOf(kinds: string, seed = 1): Buffer {
  const disk = noise(kinds.length * BLOCK_SIZE, seed);
  for (let index = kinds.indexOf('0'); index >= 0; index = kinds.indexOf('0', index + 1)) {
    disk.fill(0, index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE);
  }
  return disk;
}

/** A file with this content, below `parent` (default: the usual place), that is removed when the test ends. */
async function fileOf(content: Uint8Array, parent?: string): Promise<string> {
  const folder = parent ?? (await temporaryFolder());
  const path = join(folder, `disk-${process.pid}.img`);
  await writeFile(path, content);
  onTestFinished(() => rm(path, { force: true }));
  return path;
}

async function attachWithSector(path: string, sector: string): Promise<string> {
  const args = ['--find', '--show', '--sector-size', sector, path];
  const device = (await run('losetup', args)).stdout.trim();
  onTestFinished(async () => {
    await run('losetup', ['--detach', device]);
  });
  return device;
}

async function openTested(
  engine: Engine,
  path: string,
  options?: ReadOptions,
): Promise<EngineReader> {
  const reader = await engine.openReader(path, options);
  onTestFinished(() => reader.close());
  expect(reader.path).toBe(path);
  if (!reader.isBlockDevice) expect(reader.sizeBytes).toBe((await stat(path)).size);
  return reader;
}

async function readAll(
  engine: Engine,
  path: string,
  options?: ReadOptions,
  selected?: BlockSet,
): Promise<SeenBlock[]> {
  const reader = await openTested(engine, path, options);
  if (selected !== undefined) reader.select(selected);
  return readRest(reader);
}

async function readRest(reader: EngineReader): Promise<SeenBlock[]> {
  const seen: SeenBlock[] = [];
  for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
    seen.push(...blocks.map(look));
  }
  return seen;
}

async function readUntilFailure(
  reader: EngineReader,
): Promise<{ seen: SeenBlock[]; error: unknown }> {
  const seen: SeenBlock[] = [];
  try {
    for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
      seen.push(...blocks.map(look));
    }
    return { seen, error: undefined };
  } catch (error) {
    return { seen, error };
  }
}

function look(block: Block): SeenBlock {
  const { index, kind, data, digest } = block;
  expect(data.length).toBe(BLOCK_SIZE);
  const seen = {
    index,
    isZero: kind !== 'data',
    digest: toHex(digest),
    dataDigest: openssl(data),
  };
  block.release();
  return seen;
}

/** What an engine must see in a source with this content. */
function blocksOf(content: Buffer): SeenBlock[] {
  return Array.from({ length: Math.ceil(content.length / BLOCK_SIZE) }, (_, index) => {
    const block = Buffer.alloc(BLOCK_SIZE);
    content.copy(block, 0, index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE);
    const digest = openssl(block);
    return { index, isZero: ZERO_BLOCK_DATA.equals(block), digest, dataDigest: digest };
  });
}

async function expectOpenError(
  engine: Engine,
  path: string,
  errno: keyof typeof constants.errno,
  message: string,
): Promise<void> {
  const error: unknown = await engine.openReader(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SourceError);
  expect(error).toMatchObject({
    code: 'ERR_EBS_SOURCE_OPEN',
    message,
    path,
    errno: constants.errno[errno],
    offset: undefined,
  });
  expect((error as SourceError).syscall).toMatch(/^(open|stat)$/);
}

/** Enough for whatever is ready to be delivered. */
async function turnsOfTheLoop(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

function openssl(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function toHex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}

/** Across the blocks of the file. */
const SAVED_OFFSET = BLOCK_SIZE + 4096;

async function saveTo(
  engine: Engine,
  path: string,
  block: Uint8Array,
  expectedHex: string,
  flags = 'r+',
): Promise<{ isZero: boolean; digest: string }> {
  const file = await open(path, flags);
  try {
    const expectedDigest = Buffer.from(expectedHex, 'hex');
    const destination = { fd: file.fd, offset: SAVED_OFFSET, expectedDigest };
    const { isZero, digest } = await engine.save(block, destination);
    return { isZero, digest: toHex(digest) };
  } finally {
    await file.close();
  }
}
