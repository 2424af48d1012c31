import { open, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { attachLoopDevice, canUseLoopDevices } from '../support/loop-device.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { findColdsnap, programOf } from './installed-clients.ts';
import { serveClients, type ServiceForClients } from './service-for-clients.ts';

const BLOCK_SIZE = 524_288;
const GIB = 1024 ** 3;
const coldsnap = await findColdsnap();

/** Six blocks and a bit: data, zeros, data, zeros, data, data, and a tail. */
function makeDisk(): Buffer {
  const random = seededRandom(11);
  const disk = Buffer.alloc(6 * BLOCK_SIZE + 12_345);
  for (let at = 0; at < disk.length; at += 4) {
    const index = Math.floor(at / BLOCK_SIZE);
    const isZero = index === 1 || index === 3;
    if (!isZero && at + 4 <= disk.length) disk.writeUInt32LE(random() * 2 ** 32, at);
  }
  return disk;
}

async function writeDisk({ parent }: ServiceForClients): Promise<Buffer> {
  const disk = makeDisk();
  await writeFile(join(parent, 'disk.img'), disk);
  return disk;
}

/** Compares the begin of a copy with the disk and expects zeros up to the next block. */
async function expectCopy(path: string, disk: Buffer): Promise<void> {
  const padded = Buffer.alloc(Math.ceil(disk.length / BLOCK_SIZE) * BLOCK_SIZE);
  disk.copy(padded);
  const file: FileHandle = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(padded.length), 0, padded.length, 0);
    expect(buffer.equals(padded)).toBe(true);
  } finally {
    await file.close();
  }
}

describe('coldsnap', () => {
  for (const { title, flags, blockCount } of [
    { title: 'sends every block', flags: [], blockCount: 7 },
    { title: 'leaves zeros out', flags: ['--omit-zero-blocks'], blockCount: 5 },
  ]) {
    test(`${title}, waits, and brings all of it back`, async (context) => {
      const program = programOf(coldsnap, context);
      const service = await serveClients();
      const disk = await writeDisk(service);
      const tags = ['--tag', 'Key=Name,Value=disk one', '--tag', 'Key=empty,Value='];
      const upload = ['upload', '--no-progress', '--wait', '--description', 'nightly', ...tags];
      const id = (await service.run(program, ...upload, ...flags, 'disk.img')).trim();
      expect(id).toMatch(/^snap-0[0-9a-f]{16}$/);
      await service.run(program, 'wait', id);
      await service.run(program, 'download', '--no-progress', id, 'copy.img');
      const copy = join(service.parent, 'copy.img');
      expect((await stat(copy)).size).toBe(GIB);
      await expectCopy(copy, disk);
      expect(await service.counts()).toMatchObject({
        StartSnapshot: 1,
        PutSnapshotBlock: blockCount,
        GetSnapshotBlock: blockCount,
        DescribeSnapshots: expect.any(Number) as number,
      });
    });
  }

  test('is pointed by --endpoint as well', async (context) => {
    const program = programOf(coldsnap, context);
    const service = await serveClients();
    await writeDisk(service);
    const where = ['--endpoint', service.endpoint, '--region', 'eu-west-1'];
    const id = await service.run(program, ...where, 'upload', '--no-progress', 'disk.img');
    await service.run(program, ...where, 'wait', id.trim());
    const elsewhere = await service.tryRun(program, 'wait', '--max-attempts', '1', id.trim());
    expect(elsewhere.exitCode).not.toBe(0);
  });

  test.runIf(canUseLoopDevices)('takes a block device', async (context) => {
    const program = programOf(coldsnap, context);
    const service = await serveClients();
    const disk = makeDisk().subarray(0, 6 * BLOCK_SIZE);
    const image = join(service.parent, 'device.img');
    await writeFile(image, disk);
    const device = await attachLoopDevice(image);
    const id = await service.run(program, 'upload', '--no-progress', '--wait', device);
    await service.run(program, 'download', '--no-progress', id.trim(), 'copy.img');
    await expectCopy(join(service.parent, 'copy.img'), disk);
  });
});
