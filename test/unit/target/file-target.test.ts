import {
  constants,
  open,
  readdir,
  readFile,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { JsEngine } from '../../../src/engine/js-engine.ts';
import { loadEngine } from '../../../src/engine/load-engine.ts';
import { HandleTarget } from '../../../src/target/handle-target.ts';
import { planTarget } from '../../../src/target/open-target.ts';
import type { Target } from '../../../src/target/target.ts';
import { canUseLoopDevices, mount } from '../../support/loop-device.ts';
import { filledBlock } from '../../support/memory-snapshot.ts';
import { openFilesBelow } from '../../support/open-files.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const engine = loadEngine({ engine: 'native' });

const SIZE = 8 * BLOCK_SIZE;
const { ENOENT, ENOSPC, EROFS, EFBIG, EBADF } = osConstants.errno;

describe('a file that does not exist', () => {
  it('comes into being when it is opened, as one hole of exactly the size', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'disk.img');
    const plan = await planTarget(path, { engine, force: false, targetIsZero: false });
    expect(await readdir(folder)).toEqual([]);

    const target = await plan.open(SIZE);
    expect(target).toMatchObject({ isZero: true, isInOrder: false, name: `"${path}"` });
    expect(await stat(path)).toMatchObject({ size: SIZE, blocks: 0 });

    await target.write(5 * BLOCK_SIZE, filledBlock(5));
    await target.write(2 * BLOCK_SIZE, filledBlock(2));
    await target.finish();
    const expected = Buffer.alloc(SIZE);
    expected.fill(5, 5 * BLOCK_SIZE, 6 * BLOCK_SIZE).fill(2, 2 * BLOCK_SIZE, 3 * BLOCK_SIZE);
    expect((await readFile(path)).equals(expected)).toBe(true);
    expect((await stat(path)).blocks * 512).toBeLessThan(3 * BLOCK_SIZE);
    expect(await openFilesBelow(folder)).toEqual([]);
  });

  it('is gone again after a failure', async () => {
    const folder = await temporaryFolder();
    const target = await openFresh(join(folder, 'disk.img'));
    await target.write(0, filledBlock(1));
    await target.abort(new Error('stopped'));
    expect(await readdir(folder)).toEqual([]);
    expect(await openFilesBelow(folder)).toEqual([]);
  });

  it('is left alone after a failure when its name has come to mean another file', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'disk.img');
    const target = await openFresh(path);
    await unlink(path);
    await writeFile(path, 'not ours');
    await target.abort(new Error('stopped'));
    expect(await readFile(path, 'utf8')).toBe('not ours');
  });

  it('is not taken over when somebody else creates it meanwhile', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'disk.img');
    const plan = await planTarget(path, { engine, force: false, targetIsZero: false });
    await writeFile(path, 'not ours');
    await expect(plan.open(SIZE)).rejects.toMatchObject({ code: 'ERR_EBS_TARGET_EXISTS', path });
    expect(await readFile(path, 'utf8')).toBe('not ours');
  });

  it('is not created through a link that leads nowhere', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'link');
    await symlink(join(folder, 'nowhere'), path);
    const plan = await planTarget(path, { engine, force: true, targetIsZero: false });
    await expect(plan.open(SIZE)).rejects.toMatchObject({ code: 'ERR_EBS_TARGET_EXISTS', path });
    expect(await readdir(folder)).toEqual(['link']);
  });

  it('is refused at once where its folder is missing', async () => {
    const path = join(await temporaryFolder(), 'missing', 'disk.img');
    await expect(
      planTarget(path, { engine, force: false, targetIsZero: false }),
    ).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_OPEN',
      message: `opening "${path}" for writing failed: no such file or directory (ENOENT)`,
      path,
      errno: ENOENT,
      syscall: 'access',
    });
  });

  it('is gone again when the file system cannot hold its size', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'disk.img');
    const plan = await planTarget(path, { engine, force: false, targetIsZero: false });
    await expect(plan.open(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({
      code: 'ERR_EBS_TARGET_WRITE',
      path,
      errno: EFBIG,
      syscall: 'ftruncate',
    });
    expect(await readdir(folder)).toEqual([]);
    expect(await openFilesBelow(folder)).toEqual([]);
  });
});

describe('a file that exists', () => {
  it('is refused without force, and keeps its bytes', async () => {
    const path = await oldFile(100);
    await expect(
      planTarget(path, { engine, force: false, targetIsZero: false }),
    ).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_EXISTS',
      message: `"${path}" exists and may not be written over without force`,
      path,
    });
    expect(await readFile(path)).toEqual(Buffer.alloc(100, 0xee));
  });

  it.each([
    ['shorter', 100],
    ['as long', SIZE],
    ['longer', SIZE + 4096],
  ])('and is %s becomes one hole of exactly the size', async (_, sizeBytes) => {
    const path = await oldFile(sizeBytes);
    const target = await openForced(path, { targetIsZero: false });
    expect(target.isZero).toBe(true);
    await target.finish();
    expect((await readFile(path)).equals(Buffer.alloc(SIZE))).toBe(true);
    expect((await stat(path)).blocks).toBe(0);
  });

  it('keeps its bytes where the caller says that they are zero', async () => {
    const path = await oldFile(SIZE + 4096);
    await (await openForced(path, { targetIsZero: true })).finish();
    expect((await readFile(path)).equals(Buffer.alloc(SIZE, 0xee))).toBe(true);
  });

  it('stays after a failure', async () => {
    const path = await oldFile(100);
    const target = await openForced(path, { targetIsZero: false });
    await target.abort(new Error('stopped'));
    expect((await stat(path)).size).toBe(SIZE);
  });
});

describe('a path that is no disk', () => {
  it('is refused when it is a folder, or neither a file nor a block device', async () => {
    const folder = await temporaryFolder();
    const options = { engine, force: true, targetIsZero: false };
    await expect(planTarget(folder, options)).rejects.toMatchObject({
      code: 'ERR_EBS_TARGET_OPEN',
      message: `"${folder}" is a folder`,
    });
    await expect(planTarget('/dev/null', options)).rejects.toMatchObject({
      code: 'ERR_EBS_TARGET_OPEN',
      message: '"/dev/null" is neither a regular file nor a block device',
    });
  });
});

describe('HandleTarget', () => {
  it('clears a range of any length and nothing beside it', async () => {
    const path = await oldFile(SIZE);
    const handle = await open(path, constants.O_RDWR);
    const target = new HandleTarget({ handle, engine, path, isZero: false });
    await target.clear({ offset: 100, length: 3 * BLOCK_SIZE + 7 });
    await target.finish();
    const expected = Buffer.alloc(SIZE, 0xee).fill(0, 100, 100 + 3 * BLOCK_SIZE + 7);
    expect((await readFile(path)).equals(expected)).toBe(true);
  });

  it('stops clearing when the signal aborts', async () => {
    const path = await oldFile(SIZE);
    const handle = await open(path, constants.O_RDWR);
    const target = new HandleTarget({ handle, engine, path, isZero: false });
    const clearing = target.clear({ offset: 0, length: SIZE }, AbortSignal.abort('enough'));
    await expect(clearing).rejects.toMatchObject({ code: 'ABORT_ERR', cause: 'enough' });
    await target.abort(new Error('stopped'));
    expect((await readFile(path)).equals(Buffer.alloc(SIZE, 0xee))).toBe(true);
  });

  it('names path, offset, errno and call of a write that fails', async () => {
    const path = await oldFile(SIZE);
    const handle = await open(path, 'r');
    const target = new HandleTarget({ handle, engine: new JsEngine(), path, isZero: true });
    await expect(target.write(BLOCK_SIZE, filledBlock(1))).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_WRITE',
      message: `writing "${path}" at byte ${BLOCK_SIZE} failed: bad file descriptor (EBADF)`,
      path,
      offset: BLOCK_SIZE,
      errno: EBADF,
      syscall: 'write',
    });
    await target.abort(new Error('stopped'));
    await target.abort(new Error('stopped'));
  });
});

describe.skipIf(!canUseLoopDevices)('a file system of its own (needs root and mount)', () => {
  it('says that no space is left, where it ran out, and removes the file', async () => {
    const folder = await temporaryFolder();
    await mount('tmpfs', folder, '-t', 'tmpfs', '-o', 'size=768k');
    const path = join(folder, 'disk.img');
    const target = await openFresh(path);
    await target.write(0, filledBlock(1));
    const failure = await target.write(BLOCK_SIZE, filledBlock(2)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_WRITE',
      path,
      errno: ENOSPC,
      syscall: 'write',
      message: expect.stringMatching(/no space left on device \(ENOSPC\)$/) as string,
    });
    await target.abort(failure as Error);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is refused at once when it is read-only', async () => {
    const folder = await temporaryFolder();
    await mount('tmpfs', folder, '-t', 'tmpfs', '-o', 'ro');
    const path = join(folder, 'disk.img');
    await expect(
      planTarget(path, { engine, force: false, targetIsZero: false }),
    ).rejects.toMatchObject({
      code: 'ERR_EBS_TARGET_OPEN',
      message: `opening "${path}" for writing failed: read-only file system (EROFS)`,
      errno: EROFS,
    });
  });
});

async function openFresh(path: string): Promise<Target> {
  const plan = await planTarget(path, { engine, force: false, targetIsZero: false });
  return plan.open(SIZE);
}

async function openForced(path: string, options: { targetIsZero: boolean }): Promise<Target> {
  return (await planTarget(path, { engine, force: true, ...options })).open(SIZE);
}

/** A file full of 0xee bytes. */
async function oldFile(sizeBytes: number): Promise<string> {
  const path = join(await temporaryFolder(), 'old.img');
  await writeFile(path, Buffer.alloc(sizeBytes, 0xee));
  return path;
}
