import { execFile } from 'node:child_process';
import { constants, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { loadEngine } from '../../../src/engine/load-engine.ts';
import { planTarget } from '../../../src/target/open-target.ts';
import { attachLoopDevice, canUseLoopDevices, mount } from '../../support/loop-device.ts';
import { filledBlock } from '../../support/memory-snapshot.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const engine = loadEngine({ engine: 'native' });

const SIZE = 4 * BLOCK_SIZE;
const { EBUSY } = osConstants.errno;

describe.skipIf(!canUseLoopDevices)('a block device (needs root and losetup)', () => {
  it('is refused without force', async () => {
    const { device } = await oldDevice(SIZE);
    await expect(
      planTarget(device, { engine, force: false, targetIsZero: false }),
    ).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_EXISTS',
      message: `"${device}" is a block device and may not be written over without force`,
      path: device,
    });
  });

  it('takes bytes in any order, is cleared on request, and keeps what is beyond the volume', async () => {
    const { device, image } = await oldDevice(SIZE + 4096);
    const plan = await planTarget(device, { engine, force: true, targetIsZero: false });
    const target = await plan.open(SIZE);
    expect(target).toMatchObject({ isZero: false, isInOrder: false });
    await target.write(2 * BLOCK_SIZE, filledBlock(2));
    await target.clear({ offset: 0, length: 2 * BLOCK_SIZE });
    await target.write(3 * BLOCK_SIZE, filledBlock(3));
    await target.finish();

    const expected = Buffer.alloc(SIZE + 4096);
    expected
      .fill(2, 2 * BLOCK_SIZE, 3 * BLOCK_SIZE)
      .fill(3, 3 * BLOCK_SIZE, SIZE)
      .fill(0xee, SIZE);
    expect((await readFile(image)).equals(expected)).toBe(true);
  });

  it('is believed to be zero only on the word of the caller', async () => {
    const { device } = await oldDevice(SIZE);
    const target = await (
      await planTarget(device, { engine, force: true, targetIsZero: true })
    ).open(SIZE);
    expect(target.isZero).toBe(true);
    await target.abort(new Error('stopped'));
  });

  it('is refused when it is smaller than the volume, with its size, and keeps its bytes', async () => {
    const { device, image } = await oldDevice(SIZE - 512);
    const plan = await planTarget(device, { engine, force: true, targetIsZero: false });
    await expect(plan.open(SIZE)).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_SIZE',
      message: `"${device}" holds ${SIZE - 512} bytes; the volume has ${SIZE}`,
      path: device,
    });
    expect((await readFile(image)).equals(Buffer.alloc(SIZE - 512, 0xee))).toBe(true);
    // The refused restore has let go of it.
    await (await open(device, constants.O_RDWR | constants.O_EXCL)).close();
  });

  it('is refused while it is mounted', async () => {
    const { device } = await oldDevice(SIZE);
    await promisify(execFile)('mkfs.ext4', ['-q', '-O', '^has_journal', device]);
    const folder = join(await temporaryFolder(), 'mounted');
    await mkdir(folder);
    await mount(device, folder);
    const plan = await planTarget(device, { engine, force: true, targetIsZero: false });
    await expect(plan.open(SIZE)).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_OPEN',
      message: `opening "${device}" for this restore alone failed: resource busy or locked (EBUSY): ${device.slice(5)} is mounted on "${folder}"`,
      path: device,
      errno: EBUSY,
      syscall: 'open',
    });
  });

  it('is not shared with a second restore', async () => {
    const { device } = await oldDevice(SIZE);
    const plan = await planTarget(device, { engine, force: true, targetIsZero: false });
    const first = await plan.open(SIZE);
    await expect(plan.open(SIZE)).rejects.toMatchObject({ errno: EBUSY });
    await first.abort(new Error('stopped'));
  });
});

/** A loop device full of 0xee bytes, and the file behind it. */
async function oldDevice(sizeBytes: number): Promise<{ device: string; image: string }> {
  const image = join(await temporaryFolder(), 'loop.img');
  await writeFile(image, Buffer.alloc(sizeBytes, 0xee));
  return { device: await attachLoopDevice(image), image };
}
