import { execFile } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { loadEngine } from '../../src/engine/load-engine.ts';
import { diskOf } from '../support/disk-content.ts';
import { canUseLoopDevices, makeFileSystem, type FileSystem } from '../support/loop-device.ts';
import { haveTools } from '../support/required-tool.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { runScript } from './child-script.ts';

const run = promisify(execFile);

const canLook = process.platform === 'linux' && (await haveTools('fincore', 'dd'));

/** Whether file systems tell how they serve reads past the page cache: STATX_DIOALIGN, from Linux 6.1 on. */
const isDirectIoTold = Number(/^\d+\.\d+/.exec(release())?.[0]) >= 6.1;

/** Ends in the middle of a page, so that the last of it cannot be read past the page cache. */
const DISK = diskOf('dddddddd').subarray(0, 7 * BLOCK_SIZE + 5001);

describe.skipIf(!canLook || !canUseLoopDevices)('the page cache after a file was read', () => {
  it.for<[FileSystem, string, boolean]>([
    ['ext4', 'defaults', true],
    ['xfs', 'defaults', true],
    // Accepts reads past the cache, and serves some through it.
    ['btrfs', 'defaults', true],
    ['btrfs', 'compress-force', true],
    // Accepts them too, but tells that it serves none.
    ['ext4', 'data=journal', !isDirectIoTold],
  ])('holds no page of it on %s with %s', async ([fileSystem, options, isDirect], { skip }) => {
    skip(!(await haveTools(`mkfs.${fileSystem}`)));
    const folder = await makeFileSystem(fileSystem, options);
    const path = join(folder, 'disk.img');
    await writeUncached(path);
    const reader = await loadEngine({ engine: 'native' }).openReader(path);
    onTestFinished(() => reader.close());
    expect(reader.isDirect).toBe(isDirect);
    let blockCount = 0;
    for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
      blockCount += blocks.length;
      for (const block of blocks) block.release();
    }
    expect(blockCount).toBe(8);
    await reader.close();
    expect(await cachedPages(path)).toBe(0);
  });

  it.skipIf(!isDirectIoTold)(
    'still holds the pages that others had read, where reads go past it',
    async () => {
      const path = join(await makeFileSystem('ext4', 'defaults'), 'disk.img');
      await writeUncached(path);
      await run('dd', [`if=${path}`, 'of=/dev/null', 'bs=512K', 'count=4']);
      const before = await cachedPages(path);
      expect(before).toBeGreaterThan(0);
      const reader = await loadEngine({ engine: 'native' }).openReader(path, { blockCount: 4 });
      onTestFinished(() => reader.close());
      for (const block of await reader.next()) block.release();
      await reader.close();
      // More may have come: what dd had made the kernel read ahead.
      expect(await cachedPages(path)).toBeGreaterThanOrEqual(before);
    },
  );
});

it.skipIf(process.platform !== 'linux')(
  'reads of a sparse terabyte what is data, and no more',
  async () => {
    const path = join(await temporaryFolder(), 'disk.img');
    const file = await open(path, 'w');
    const data = diskOf('dddd');
    const islands = [0, 2 ** 31 + BLOCK_SIZE, 2 ** 40 - data.length];
    for (const offset of islands) await file.write(data, 0, data.length, offset);
    await file.close();
    const { stdout } = await runScript(
      `
    const bytesRead = () => Number(/^rchar: (\\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
    const reader = await loadEngine({ engine: 'native' }).openReader(process.argv[2]);
    const before = bytesRead();
    const data = [];
    let count = 0;
    for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
      count += blocks.length;
      for (const { kind, index } of blocks) if (kind === 'data') data.push(index);
      for (const block of blocks) block.release();
    }
    await reader.close();
    console.log(JSON.stringify({ count, data, bytesRead: bytesRead() - before }));
    `,
      path,
    );
    const { count, data: found, bytesRead } = JSON.parse(stdout) as Record<string, number>;
    expect(count).toBe(2 ** 21);
    expect(found).toEqual(
      islands.flatMap((offset) => [0, 1, 2, 3].map((i) => offset / BLOCK_SIZE + i)),
    );
    const dataBytes = islands.length * data.length;
    expect(bytesRead).toBeGreaterThanOrEqual(dataBytes);
    // The rest is what the process reads about itself.
    expect(bytesRead).toBeLessThan(dataBytes + BLOCK_SIZE);
  },
);

/** Writes DISK to a file, and no page of it stays in the cache. */
async function writeUncached(path: string): Promise<void> {
  await writeFile(path, DISK, { flush: true });
  await run('dd', [`if=${path}`, 'iflag=nocache', 'count=0']);
  expect(await cachedPages(path)).toBe(0);
}

async function cachedPages(path: string): Promise<number> {
  const { stdout } = await run('fincore', ['--noheadings', '--bytes', '--output', 'PAGES', path]);
  return Number(stdout);
}
