import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CompleteSnapshotCommand } from '@aws-sdk/client-ebs';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  BLOCK_SIZE,
  SnapshotWriter,
  uploadSnapshot,
  type SnapshotResult,
  type UploadOptions,
} from '../../src/index.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const REFUSED = { status: 400, type: 'ValidationException', reason: 'INVALID_PARAMETER_VALUE' };

/** A disk, its manifest, and the service that it goes to. */
interface Bench {
  readonly service: LocalService;
  readonly path: string;
  readonly manifest: string;
  /** Uploads the disk, from the second time on resuming. */
  readonly upload: (options?: Partial<UploadOptions>) => Promise<SnapshotResult>;
  /** Uploads it, stopped by a refusal of the block. */
  readonly uploadUntil: (blockIndex: number) => Promise<{ snapshotId: string }>;
}

async function setUp(disk: Buffer, start = startLocalService()): Promise<Bench> {
  const service = await start;
  const folder = await temporaryFolder();
  const path = join(folder, 'disk.img');
  const manifest = join(folder, 'disk.manifest');
  await writeFile(path, disk);
  let isFirst = true;
  const upload: Bench['upload'] = (options = {}) => {
    const resume = !isFirst;
    isFirst = false;
    const { client } = service;
    return uploadSnapshot({ client, source: path, manifest, resume, ...options });
  };
  const uploadUntil: Bench['uploadUntil'] = async (blockIndex) => {
    service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex, fault: REFUSED });
    const failure = await upload().catch((error: unknown) => error as { snapshotId: string });
    expect(failure).toMatchObject({ code: 'ERR_EBS_SERVICE', blockIndex, resumable: true });
    return failure;
  };
  return { service, path, manifest, upload, uploadUntil };
}

/** Makes a manifest believe that its snapshot is too old not to be known everywhere yet. */
async function age(path: string): Promise<void> {
  await using manifest = await Manifest.resume(path);
  await manifest.update({
    answer: { ...manifest.facts.answer, StartTime: '2020-01-01T00:00:00Z' },
  });
}

async function stateOf(path: string): Promise<string> {
  await using manifest = await Manifest.open(path);
  return manifest.facts.state;
}

/** Takes a manifest back to where blocks are sent, as a crash before the last update of its header would. */
async function rewindToStarted(path: string): Promise<void> {
  await using manifest = await Manifest.resume(path);
  await manifest.update({ state: 'started' });
}

async function tokenOf(path: string): Promise<string> {
  await using manifest = await Manifest.open(path);
  return manifest.facts.clientToken;
}

describe('an upload that stopped', () => {
  test('goes on, sends what is missing, and is the same snapshot', async () => {
    const disk = diskOf('dd0dd0dddddd0ddd');
    const { service, manifest, upload, uploadUntil } = await setUp(disk);
    const { snapshotId } = await uploadUntil(12);
    const result = await upload();
    expect(result).toMatchObject({ snapshotId, changedBlocksCount: 16, status: 'completed' });
    expect(result.unchangedBlocks).toBeGreaterThan(0);
    expect(result.bytesSent).toBe((16 - result.unchangedBlocks) * BLOCK_SIZE);
    expect(service.requests('StartSnapshot')).toBe(1);
    await expectVolume(service, snapshotId, { disk, blocks: 18 });
    expect(await stateOf(manifest)).toBe('completed');
    // Once more, and nothing is left to do.
    const again = await upload();
    expect(again).toMatchObject({ snapshotId, changedBlocksCount: 16, bytesRead: 0, bytesSent: 0 });
    expect(service.requests('StartSnapshot')).toBe(1);
  });

  test('adopts a snapshot whose start it was never told of', async () => {
    const { service, upload, manifest } = await setUp(diskOf('ddd'));
    // The answer is lost, and the upload stopped before it can ask again.
    service.ebs.inject({ operation: 'StartSnapshot', fault: 'stall' });
    const stop = new AbortController();
    const stopped = upload({ signal: stop.signal }).catch((error: unknown) => error);
    await expect.poll(() => service.ebs.counters().inFlight).toBe(1);
    stop.abort();
    expect(await stopped).toMatchObject({ code: 'ABORT_ERR', resumable: true });
    expect(await stateOf(manifest)).toBe('planned');
    const { client } = service;
    const params = { VolumeSize: 1, ClientToken: await tokenOf(manifest) };
    const writer = new SnapshotWriter({ client, params });
    writer.write(diskOf('d'));
    await new Promise((resolve) => writer.once('snapshot', resolve));
    writer.destroy();
    const { snapshotId } = await upload();
    expect(snapshotId).toBe(writer.snapshotId);
  });

  test.each([
    ['nothing', 'accepted'],
    ['CompleteSnapshot', 'completing'],
    ['ListSnapshotBlocks', 'accepted'],
  ])('at %s ends without reading the disk again', async (operation, state) => {
    const disk = diskOf('d0d');
    const { service, path, manifest, upload } = await setUp(disk);
    if (operation === 'nothing') await upload({ waitUntil: 'accepted' });
    else {
      const fault = { status: 403, type: 'AccessDeniedException' };
      service.ebs.inject({ operation, fault, times: 1 });
      await expect(upload()).rejects.toMatchObject({ resumable: true });
    }
    expect(await stateOf(manifest)).toBe(state);
    await writeFile(path, diskOf('ddd', 9));
    const { snapshotId, bytesRead } = await upload();
    expect(bytesRead).toBe(0);
    expect(service.requests('PutSnapshotBlock')).toBe(3);
    await expectVolume(service, snapshotId, { disk, blocks: 4 });
    expect(await stateOf(manifest)).toBe('completed');
  });

  test('goes on as a stream of bytes, shorter than before', async () => {
    const disk = diskOf('dddddddddd');
    const { service, manifest } = await setUp(disk);
    const write = async (bytes: Buffer, resume: boolean): Promise<SnapshotResult> => {
      const { client } = service;
      const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 }, manifest, resume });
      await pipeline(Readable.from([bytes]), writer);
      return writer.done();
    };
    service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 9, fault: REFUSED });
    await expect(write(disk, false)).rejects.toMatchObject({ resumable: true });
    const { snapshotId } = await write(disk.subarray(0, 5 * BLOCK_SIZE), true);
    await expectVolume(service, snapshotId, { disk: disk.subarray(0, 5 * BLOCK_SIZE), blocks: 12 });
  });
});

describe('a source that changed between two attempts', () => {
  test.each([
    ['some blocks', 'dddddddddd', 'd', 'write'],
    ['to zeros', 'dddddddddd', '0', 'write'],
    ['to zeros that are left out', 'dddddddddd', '0', 'omit'],
    ['from zeros that are left out', '0000000000', 'd', 'omit'],
  ] as const)('in %s gives what was read last', async (_name, before, changed, zeroBlocks) => {
    const { service, path, manifest, upload } = await setUp(diskOf(before));
    service.ebs.inject({ operation: 'CompleteSnapshot', fault: REFUSED });
    await expect(upload({ zeroBlocks })).rejects.toMatchObject({ resumable: true });
    const disk = diskOf(`${before.slice(0, 3)}${changed.repeat(3)}${before.slice(6)}`, 5);
    await writeFile(path, disk);
    await rewindToStarted(manifest);
    const { snapshotId } = await upload({ zeroBlocks });
    await expectVolume(service, snapshotId, { disk, blocks: 12 });
  });

  test.each([4, 14])('from ten blocks to %i gives what was read last', async (count) => {
    const { service, path, upload, uploadUntil } = await setUp(diskOf('dddddddddd'));
    await uploadUntil(9);
    const disk = diskOf('d'.repeat(count), 3);
    await writeFile(path, disk);
    const { snapshotId } = await upload();
    await expectVolume(service, snapshotId, { disk, blocks: 16 });
  });
});

describe('a snapshot that meanwhile', () => {
  const hourMs = 3_600_000;

  test('was deleted', async () => {
    const { service, manifest, upload, uploadUntil } = await setUp(diskOf('dddddddddd'));
    const { snapshotId } = await uploadUntil(5);
    await age(manifest);
    const writer = new SnapshotWriter({
      client: service.client,
      params: { VolumeSize: 1, ClientToken: await tokenOf(manifest) },
      onFailure: 'delete',
    });
    writer.write(diskOf('d'));
    await new Promise((resolve) => writer.once('snapshot', resolve));
    writer.destroy();
    await expect(writer.done()).rejects.toThrow();
    await expect(upload()).rejects.toMatchObject({
      code: 'ERR_EBS_SNAPSHOT_DELETED',
      snapshotId,
      resumable: false,
    });
  });

  test('expired', async () => {
    let nowMs = Date.now();
    const clock = { now: () => nowMs };
    const bench = await setUp(diskOf('dddddddddd'), startLocalService({ clock }));
    const { snapshotId } = await bench.uploadUntil(5);
    nowMs += 2 * hourMs;
    await age(bench.manifest);
    await expect(bench.upload()).rejects.toMatchObject({
      code: 'ERR_EBS_SNAPSHOT_EXPIRED',
      snapshotId,
      resumable: false,
    });
  });

  test.each([
    ['was completed', 0, 'ERR_EBS_SNAPSHOT_SEALED'],
    ['failed', 1, 'ERR_EBS_SNAPSHOT_FAILED'],
  ])('%s by another', async (_name, excess, code) => {
    const { service, manifest, upload, uploadUntil } = await setUp(diskOf('dddddddddd'));
    const { snapshotId } = await uploadUntil(5);
    // Requests that were dropped may still be stored.
    await expect.poll(() => service.ebs.counters().inFlight).toBe(0);
    const { computed } = (await service.ebs.snapshotReport(snapshotId)) ?? {};
    await service.client.send(
      new CompleteSnapshotCommand({
        SnapshotId: snapshotId,
        ChangedBlocksCount: (computed?.changedBlocksCount ?? 0) + excess,
      }),
    );
    await service.ebs.settle();
    await age(manifest);
    await expect(upload()).rejects.toMatchObject({ code, snapshotId, resumable: false });
  });
});

describe('a manifest', () => {
  test('is never written over, and no call is made', async () => {
    const { service, manifest, upload } = await setUp(diskOf('d'));
    await writeFile(manifest, 'precious');
    await expect(upload()).rejects.toMatchObject({ code: 'ERR_EBS_MANIFEST_EXISTS' });
    expect(await readFile(manifest, 'utf8')).toBe('precious');
    expect(service.ebs.counters().requests).toBe(0);
  });

  test('of another upload is refused', async () => {
    const { service, path, uploadUntil, upload } = await setUp(diskOf('dddddddddd'));
    await uploadUntil(5);
    const requests = service.ebs.counters().requests;
    const other = join(await temporaryFolder(), 'other.img');
    await writeFile(other, diskOf('d'));
    for (const [options, says] of [
      [{ source: other }, `its source is "${path}"`],
      [{ params: { VolumeSize: 2 } }, 'its volumeSizeGiB is 1, not 2'],
      [{ params: { Description: 'x' } }, 'its parameters'],
      [{ zeroBlocks: 'omit' }, 'its zeroBlocks is write, not omit'],
    ] as const) {
      await expect(upload(options)).rejects.toMatchObject({
        code: 'ERR_EBS_MANIFEST_MISMATCH',
        message: expect.stringContaining(says) as string,
      });
    }
    expect(service.ebs.counters().requests).toBe(requests);
  });

  test('of a snapshot that was refused is not left behind', async () => {
    const { service, manifest, upload } = await setUp(diskOf('d'));
    service.ebs.inject({ operation: 'StartSnapshot', fault: REFUSED });
    await expect(upload()).rejects.toMatchObject({ code: 'ERR_EBS_SERVICE', resumable: false });
    await expect(access(manifest)).rejects.toThrow('ENOENT');
  });

  test('with damage costs the blocks that it covers', async () => {
    const disk = diskOf('d'.repeat(130));
    const { service, manifest, upload } = await setUp(disk);
    await upload({ waitUntil: 'accepted' });
    expect(service.requests('PutSnapshotBlock')).toBe(130);
    // The second page has blocks 126 to 129.
    const bytes = await readFile(manifest);
    bytes.writeUInt8(bytes.readUInt8(139_264 + 4096 + 100) ^ 1, 139_264 + 4096 + 100);
    await writeFile(manifest, bytes);
    await expect(upload()).rejects.toMatchObject({ code: 'ERR_EBS_SNAPSHOT_SEALED' });
    expect(await stateOf(manifest)).toBe('started');
  });

  test('whose doubtful blocks are not written again is not completed', async () => {
    const { service, manifest } = await setUp(diskOf('d'));
    const write = async (indices: number[], resume: boolean): Promise<SnapshotResult> => {
      const { client } = service;
      const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 }, manifest, resume });
      onTestFinished(() => void writer.destroy());
      await pipeline(
        Readable.from(indices.map((index) => ({ index, data: diskOf('d', index) }))),
        writer,
      );
      return writer.done();
    };
    service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 7, fault: REFUSED });
    await expect(write([3, 7], false)).rejects.toMatchObject({ resumable: true });
    await expect(write([3], true)).rejects.toMatchObject({ code: 'ERR_EBS_MANIFEST_DOUBTFUL' });
    expect(await write([7], true)).toMatchObject({ changedBlocksCount: 2 });
  });
});
