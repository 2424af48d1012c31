import type { EBSClient } from '@aws-sdk/client-ebs';
import { constants, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { BLOCK_SIZE, BLOCKS_PER_GIB, GIB } from '../../src/base/constants.ts';
import type { Progress } from '../../src/events.ts';
import type { RestoreOptions, RestoreResult } from '../../src/options.ts';
import { restoreSnapshot } from '../../src/restore.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { attachLoopDevice, canUseLoopDevices, mount } from '../support/loop-device.ts';
import { openFilesBelow } from '../support/open-files.ts';
import { seededRandom } from '../support/seeded-random.ts';
import {
  firstDifference,
  randomContents,
  storeSnapshot,
  VolumeCheck,
  type Contents,
} from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

// Whole volumes are compared here, and a device is written from end to end.
vi.setConfig({ testTimeout: 120_000 });

const EIGHT_DAYS_MS = 8 * 24 * 3_600_000;
/** What a file system may count to a file beside its data: less than one block. */
const METADATA_BYTES = 65_536;
/** A handful of blocks: data and a zero block, the first and the last of the volume among them. */
const FEW: Contents = new Map([
  [0, 1],
  [1, 0],
  [700, 2],
  [701, 3],
  [BLOCKS_PER_GIB - 1, 4],
]);

describe('restoreSnapshot to a file', () => {
  it.each([1, 2])('gives the volume back, as sparse as can be (seed %i)', async (seed) => {
    const service = await startLocalService();
    const contents = randomContents(seededRandom(seed), 0.05);
    const snapshotId = await storeSnapshot(service.client, contents);
    const target = join(await temporaryFolder(), 'disk.img');
    const reports: Progress[] = [];
    const result = await restore(service, {
      snapshotId,
      target,
      on: { progress: (progress) => reports.push(progress) },
    });

    expect(await firstDifference(target, contents)).toBeUndefined();
    const dataBlocks = [...contents.values()].filter((byte) => byte !== 0).length;
    const { size, blocks } = await stat(target);
    expect(size).toBe(GIB);
    expect(blocks * 512).toBeLessThan(dataBlocks * BLOCK_SIZE + METADATA_BYTES);
    const absentBlocks = BLOCKS_PER_GIB - contents.size;
    expect(result).toMatchObject({
      snapshotId,
      volumeSizeGiB: 1,
      bytesWritten: GIB,
      blocksRead: contents.size,
      absentBlocks,
      retries: 0,
    });
    expect(readBlocks(service)).toEqual([...contents.keys()]);
    expect(reports.at(-1)).toMatchObject({
      bytesDone: GIB,
      bytesTotal: GIB,
      blocksTransferred: contents.size,
      bytesTransferred: contents.size * BLOCK_SIZE,
      omittedBlocks: absentBlocks,
      zeroBlocks: BLOCKS_PER_GIB - dataBlocks,
      inFlight: 0,
    });
  });

  it('reads what a child inherits, and what it cleared', async () => {
    const service = await startLocalService();
    const parentId = await storeSnapshot(service.client, FEW);
    const snapshotId = await storeSnapshot(
      service.client,
      new Map([
        [0, 0],
        [5, 9],
      ]),
      parentId,
    );
    const target = join(await temporaryFolder(), 'disk.img');
    await restore(service, { snapshotId, target });
    const expected = new Map([...FEW, [0, 0], [5, 9]] as const);
    expect(await firstDifference(target, expected)).toBeUndefined();
  });

  it('leaves nothing of an old file that it may write over', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const target = join(await temporaryFolder(), 'old.img');
    await writeFile(target, Buffer.alloc(4 * BLOCK_SIZE, 0xee));
    const atTheEnd = await open(target, constants.O_WRONLY);
    await atTheEnd.write(Buffer.alloc(4 * BLOCK_SIZE, 0xee), 0, null, GIB - 2 * BLOCK_SIZE);
    await atTheEnd.close();

    await restore(service, { snapshotId, target, force: true });
    const { size, blocks } = await stat(target);
    expect(size).toBe(GIB);
    expect(blocks * 512).toBeLessThan(4 * BLOCK_SIZE + METADATA_BYTES);
    expect(await firstDifference(target, FEW)).toBeUndefined();
  });

  it('refuses a file that exists before any request', async () => {
    const service = await startLocalService();
    const target = join(await temporaryFolder(), 'old.img');
    await writeFile(target, 'kept');
    const restoring = restore(service, { snapshotId: 'snap-0123456789abcdef0', target });
    await expect(restoring).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_EXISTS',
    });
    expect(service.ebs.counters().requests).toBe(0);
    expect(await readFile(target, 'utf8')).toBe('kept');
  });

  it('neither creates nor empties a file for a snapshot that is not there', async () => {
    const service = await startLocalService();
    const folder = await temporaryFolder();
    const old = join(folder, 'old.img');
    await writeFile(old, 'kept');
    const snapshotId = 'snap-0123456789abcdef0';
    for (const target of [old, join(folder, 'new.img')]) {
      const restoring = restore(service, { snapshotId, target, force: true });
      await expect(restoring).rejects.toMatchObject({
        name: 'ServiceError',
        reason: 'SNAPSHOT_NOT_FOUND',
        snapshotId,
      });
    }
    expect(await readdir(folder)).toEqual(['old.img']);
    expect(await readFile(old, 'utf8')).toBe('kept');
  });

  it('goes on when block tokens and page token expire under it', async () => {
    let aheadMs = 0;
    const service = await startLocalService({ clock: { now: () => Date.now() + aheadMs } });
    const contents = new Map(Array.from({ length: 120 }, (_, i) => [i * 17, 1 + i] as const));
    const snapshotId = await storeSnapshot(service.client, contents);
    intercept(service.client, 'ListSnapshotBlocks', {
      change: (input) => ({ ...input, MaxResults: 100 }),
      after: () => (aheadMs ||= EIGHT_DAYS_MS),
    });
    const target = join(await temporaryFolder(), 'disk.img');
    const result = await restore(service, { snapshotId, target });

    expect(await firstDifference(target, contents)).toBeUndefined();
    expect(result).toMatchObject({ blocksRead: 120, retries: 0 });
    expect(readBlocks(service)).toEqual([...contents.keys()]);
    const refused = service.ebs.history().filter(({ status }) => status === 400);
    const reasons = new Set(refused.map(({ reason }) => reason));
    expect(reasons).toEqual(new Set(['INVALID_BLOCK_TOKEN', 'INVALID_PAGE_TOKEN']));
  });

  it('asks again for a block that arrives damaged', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 700, fault: 'corrupt' });
    const target = join(await temporaryFolder(), 'disk.img');
    const retried: (number | undefined)[] = [];
    const result = await restore(service, {
      snapshotId,
      target,
      on: { retry: ({ blockIndex }) => retried.push(blockIndex) },
    });
    expect(retried).toEqual([700]);
    expect(result.retries).toBe(1);
    expect(await firstDifference(target, FEW)).toBeUndefined();
  });

  it('gives up on a block that is always damaged, names it, and leaves no file', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const fault = 'corrupt';
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 701, times: Infinity, fault });
    const folder = await temporaryFolder();
    const restoring = restore(service, { snapshotId, target: join(folder, 'disk.img') });
    await expect(restoring).rejects.toMatchObject({
      name: 'IntegrityError',
      code: 'ERR_EBS_INTEGRITY',
      snapshotId,
      blockIndex: 701,
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it('gets through server errors and resets', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const broken = { status: 503, type: 'ServiceUnavailableException' };
    service.ebs.inject({ operation: 'ListSnapshotBlocks', fault: broken });
    service.ebs.inject({ operation: 'GetSnapshotBlock', times: 2, fault: broken });
    service.ebs.inject({ operation: 'GetSnapshotBlock', times: 2, fault: 'reset' });
    const target = join(await temporaryFolder(), 'disk.img');
    const result = await restore(service, { snapshotId, target });
    expect(result.retries).toBe(5);
    expect(await firstDifference(target, FEW)).toBeUndefined();
  });

  it('stops at the first refusal for good, and leaves no file', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const fault = { status: 403, type: 'AccessDeniedException' };
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 0, fault });
    const folder = await temporaryFolder();
    const restoring = restore(service, { snapshotId, target: join(folder, 'disk.img') });
    await expect(restoring).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS', blockIndex: 0 });
    expect(await readdir(folder)).toEqual([]);
  });

  it('leaves no file and no open handle when it is aborted half-way', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 700, fault: 'stall' });
    const folder = await temporaryFolder();
    const stop = new AbortController();
    let answers = 0;
    let abortedAtMs = NaN;
    intercept(service.client, 'GetSnapshotBlock', {
      after: () => {
        answers += 1;
        if (answers < FEW.size - 1) return;
        abortedAtMs = performance.now();
        stop.abort('enough');
      },
    });
    const target = join(folder, 'disk.img');
    const restoring = restore(service, { snapshotId, target, signal: stop.signal });
    await expect(restoring).rejects.toMatchObject({ code: 'ABORT_ERR', cause: 'enough' });
    expect(performance.now() - abortedAtMs).toBeLessThan(1000);
    expect(await readdir(folder)).toEqual([]);
    expect(await openFilesBelow(folder)).toEqual([]);
  });

  it('does nothing at all when it was aborted before', async () => {
    const service = await startLocalService();
    const restoring = restore(service, {
      snapshotId: 'snap-0123456789abcdef0',
      target: '/missing/disk.img',
      signal: AbortSignal.abort(),
    });
    await expect(restoring).rejects.toMatchObject({ code: 'ABORT_ERR' });
    expect(service.ebs.counters().requests).toBe(0);
  });

  it('refuses a bad value before any request', async () => {
    const service = await startLocalService();
    const restoring = restore(service, { snapshotId: 'vol-1', target: '/missing/disk.img' });
    await expect(restoring).rejects.toThrow(TypeError);
    expect(service.ebs.counters().requests).toBe(0);
  });
});

describe('restoreSnapshot from a service that falls silent', () => {
  it.each(['stall', 'stall-in-answer'] as const)(
    'asks again for what a %s holds up',
    async (fault) => {
      const service = await startLocalService();
      const snapshotId = await storeSnapshot(service.client, FEW);
      service.ebs.inject({ operation: 'GetSnapshotBlock', times: 2, fault });
      const target = join(await temporaryFolder(), 'disk.img');
      const { retries } = await restore(service, { snapshotId, target });
      expect(retries).toBe(2);
      expect(await firstDifference(target, FEW)).toBeUndefined();
    },
  );
});

describe('restoreSnapshot to a stream', () => {
  it('hands over every byte in order, zeros for what is absent, within the budget', async () => {
    const service = await startLocalService();
    const contents = randomContents(seededRandom(3), 0.05);
    const snapshotId = await storeSnapshot(service.client, contents);
    const sink = new VolumeSink(contents);
    const result = await restore(service, {
      snapshotId,
      target: sink,
      maxInFlightBytes: 4 * BLOCK_SIZE,
    });
    expect(sink.check.firstDifference).toBeUndefined();
    expect(sink.writableFinished).toBe(true);
    expect(result).toMatchObject({ blocksRead: contents.size, bytesWritten: GIB });
    const gets = service.ebs.history().filter(({ operation }) => operation === 'GetSnapshotBlock');
    expect(Math.max(...gets.map(({ concurrency }) => concurrency))).toBeLessThanOrEqual(4);
  });

  it('ends it with the error when the restore fails, so that a part is not taken for the whole', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const fault = { status: 403, type: 'AccessDeniedException' };
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 700, fault });
    const sink = new VolumeSink(FEW);
    const restoring = restore(service, { snapshotId, target: sink });
    await expect(restoring).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS', blockIndex: 700 });
    expect(sink.errored).toMatchObject({ code: 'ERR_EBS_ACCESS' });
    expect(sink.writableFinished).toBe(false);
  });
});

describe.skipIf(!canUseLoopDevices)('restoreSnapshot (needs root, losetup and mount)', () => {
  it('to a block device full of old bytes clears what is absent', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const { device, image } = await dirtyDevice(GIB);
    await restore(service, { snapshotId, target: device, force: true });
    expect(await firstDifference(image, FEW)).toBeUndefined();
  });

  it('to a block device that is zero writes only what is not', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const image = join(await temporaryFolder(), 'loop.img');
    await writeFile(image, '');
    await truncate(image, GIB);
    const device = await attachLoopDevice(image);
    await restore(service, { snapshotId, target: device, force: true, targetIsZero: true });
    expect(await firstDifference(image, FEW)).toBeUndefined();
    expect((await stat(image)).blocks * 512).toBeLessThan(4 * BLOCK_SIZE + METADATA_BYTES);
  });

  it('to a block device that is too small asks for no block', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const { device } = await dirtyDevice(8 * BLOCK_SIZE);
    const restoring = restore(service, { snapshotId, target: device, force: true });
    await expect(restoring).rejects.toMatchObject({ code: 'ERR_EBS_TARGET_SIZE', path: device });
    expect(service.requests('GetSnapshotBlock')).toBe(0);
  });

  it('to a disk that fills up says where, and leaves no file', async () => {
    const service = await startLocalService();
    const contents = new Map(Array.from({ length: 8 }, (_, index) => [index, 1 + index]));
    const snapshotId = await storeSnapshot(service.client, contents);
    const folder = await temporaryFolder();
    await mount('tmpfs', folder, '-t', 'tmpfs', '-o', 'size=2m');
    const target = join(folder, 'disk.img');
    await expect(restore(service, { snapshotId, target })).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_WRITE',
      path: target,
      errno: osConstants.errno.ENOSPC,
    });
    expect(await readdir(folder)).toEqual([]);
  });
});

function restore(
  { client }: LocalService,
  options: Omit<RestoreOptions, 'client' | 'engine'>,
): Promise<RestoreResult> {
  return restoreSnapshot({ client, engine: 'js', ...options });
}

/** Indices of the blocks that were read whole, one entry a read, in index order. */
function readBlocks({ ebs }: LocalService): (number | undefined)[] {
  return ebs
    .history()
    .filter(({ operation, status }) => operation === 'GetSnapshotBlock' && status === 200)
    .map(({ blockIndex }) => blockIndex)
    .sort((a = 0, b = 0) => a - b);
}

/** Changes the input of one of a client's operations, and runs `after` when each answer has arrived. */
function intercept(
  client: EBSClient,
  operation: string,
  { change = (input) => input, after }: { change?: (input: object) => object; after: () => void },
): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName !== `${operation}Command`) return next(args);
        const answer = await next({ ...args, input: change(args.input) as typeof args.input });
        after();
        return answer;
      },
    { step: 'initialize' },
  );
}

/** A loop device with old bytes at its start, middle and end, and the file behind it. */
async function dirtyDevice(sizeBytes: number): Promise<{ device: string; image: string }> {
  const image = join(await temporaryFolder(), 'loop.img');
  const handle = await open(image, 'w');
  const old = Buffer.alloc(4 * BLOCK_SIZE, 0xee);
  for (const at of [0, sizeBytes / 2, sizeBytes - old.byteLength]) {
    await handle.write(old, 0, old.byteLength, at);
  }
  await handle.close();
  return { device: await attachLoopDevice(image), image };
}

/** Takes the bytes of a volume and compares them. */
class VolumeSink extends Writable {
  readonly check: VolumeCheck;

  constructor(contents: Contents) {
    super();
    this.check = new VolumeCheck(contents);
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: () => void): void {
    this.check.next(chunk);
    callback();
  }
}
