import { open, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { BLOCK_SIZE, GIB } from '../../src/base/constants.ts';
import { restoreSnapshot, uploadSnapshot, verifySnapshot } from '../../src/index.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { attachLoopDevice, canUseLoopDevices } from '../support/loop-device.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

vi.setConfig({ testTimeout: 60_000 * 60 });

const RUNS = Number(process.env.ROUND_TRIP_RUNS ?? 1);
const SEED = Number(process.env.ROUND_TRIP_SEED ?? Date.now() % 1_000_000);
/** The longest source, in blocks, and what is behind it in sectors. */
const BLOCKS = 24;
const SECTOR_SIZE = 512;
/** What a file system may count to a file beside its data: less than one block. */
const METADATA_BYTES = 65_536;
const OLD_BYTE = 0xee;
const ZEROS = Buffer.alloc(BLOCK_SIZE);

type Random = () => number;
const TARGETS = ['file', 'old file', 'pipe', ...(canUseLoopDevices ? ['device'] : [])] as const;

/** A source of data, zeros that were written, and holes, with a tail of sectors or bytes. Returns what it reads as. */
async function writeSource(path: string, random: Random): Promise<Buffer> {
  const kinds = Array.from({ length: Math.floor(random() * BLOCKS) }, () => {
    const kind = random();
    return kind < 0.4 ? 'd' : kind < 0.7 ? '0' : '-';
  });
  const blocks = diskOf(kinds.join(''), Math.floor(random() * 1e6));
  const tailSize = Math.floor(random() * BLOCK_SIZE);
  const odd = random() < 0.5 ? tailSize : tailSize - (tailSize % SECTOR_SIZE);
  const tail = Buffer.alloc(kinds.length === 0 ? odd + 1 : odd, 0x5a);
  const handle = await open(path, 'w');
  await handle.truncate(blocks.length + tail.length);
  for (const [index, kind] of kinds.entries()) {
    const offset = index * BLOCK_SIZE;
    if (kind !== '-') await handle.write(blocks, offset, BLOCK_SIZE, offset);
  }
  if (random() < 0.7) await handle.write(tail, 0, tail.length, blocks.length);
  else tail.fill(0);
  await handle.close();
  return Buffer.concat([blocks, tail]);
}

/** Old bytes at the start, behind the source and at the end of a file of one volume's size. */
async function fillWithOld(path: string): Promise<void> {
  const old = Buffer.alloc((BLOCKS + 2) * BLOCK_SIZE, OLD_BYTE);
  const handle = await open(path, 'w');
  await handle.write(old, 0, old.length, 0);
  await handle.write(old, 0, old.length, GIB - old.length);
  await handle.close();
}

/** Takes a volume, and keeps the first of it; whatever is behind must be zero. */
class Head extends Writable {
  readonly head = Buffer.alloc((BLOCKS + 2) * BLOCK_SIZE);
  sizeBytes = 0;
  hasMore = false;

  override _write(chunk: Buffer, _: BufferEncoding, callback: () => void): void {
    const copied = chunk.copy(this.head, Math.min(this.sizeBytes, this.head.length));
    const rest = chunk.subarray(this.sizeBytes < this.head.length ? copied : 0);
    if (!rest.equals(ZEROS.subarray(0, rest.length))) this.hasMore = true;
    this.sizeBytes += chunk.length;
    callback();
  }
}

async function roundTrip(service: LocalService, random: Random): Promise<void> {
  const { client } = service;
  const folder = await temporaryFolder();
  const source = join(folder, 'source.img');
  const disk = await writeSource(source, random);
  const zeroBlocks = random() < 0.5 ? 'omit' : 'write';
  const { snapshotId } = await uploadSnapshot({ client, source, zeroBlocks });
  const engine = random() < 0.7 ? 'native' : 'js';
  for (const kind of TARGETS) {
    const how = `${kind}, ${zeroBlocks}, engine ${engine}, ${disk.length} bytes`;
    if (kind === 'pipe') {
      const sink = new Head();
      await restoreSnapshot({ client, engine, snapshotId, target: sink });
      expect([sink.sizeBytes, sink.hasMore], how).toEqual([GIB, false]);
      const expected = Buffer.alloc(sink.head.length);
      disk.copy(expected);
      expect(sink.head.equals(expected), how).toBe(true);
      continue;
    }
    const image = join(folder, 'target.img');
    if (kind === 'file') await writeFile(image, '');
    else await fillWithOld(image);
    if (kind !== 'old file') await truncate(image, GIB);
    const target = kind === 'device' ? await attachLoopDevice(image) : image;
    await restoreSnapshot({ client, engine, snapshotId, target, force: true });
    // To the end of the volume; what the beginning must hold is known without the snapshot.
    const { differences } = await verifySnapshot({ client, snapshotId, source: target });
    expect(differences, how).toEqual([]);
    const { size, blocks } = await stat(image);
    expect(size, how).toBe(GIB);
    await expectHead(image, disk, how);
    if (kind === 'device') continue;
    const dataBlocks = countDataBlocks(disk);
    expect(blocks * 512, how).toBeLessThan(dataBlocks * BLOCK_SIZE + METADATA_BYTES);
  }
}

async function expectHead(image: string, disk: Buffer, how: string): Promise<void> {
  const head = Buffer.alloc((BLOCKS + 2) * BLOCK_SIZE);
  const handle = await open(image);
  await handle.read(head, 0, head.length, 0);
  await handle.close();
  const expected = Buffer.alloc(head.length);
  disk.copy(expected);
  expect(head.equals(expected), how).toBe(true);
}

function countDataBlocks(disk: Buffer): number {
  let count = 0;
  for (let offset = 0; offset < disk.length; offset += BLOCK_SIZE) {
    const block = disk.subarray(offset, offset + BLOCK_SIZE);
    if (!block.equals(ZEROS.subarray(0, block.length))) count += 1;
  }
  return count;
}

test(`whatever a source is made of comes back equal, and as sparse as can be (seed ${SEED})`, async () => {
  const service = await startLocalService();
  const random = seededRandom(SEED);
  for (let run = 0; run < RUNS; run += 1) await roundTrip(service, random);
});
