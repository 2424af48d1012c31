import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { toBase64, ZERO_BLOCK_DIGEST } from '../../src/base/digest.ts';
import { BLOCK_SIZE, BlockReader, SnapshotWriter, type Progress } from '../../src/index.ts';
import { chunksOf, diskOf, expectedPuts } from '../support/disk-content.ts';
import { startLocalService } from '../support/local-service.ts';
import { readBack } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('bytes of any chunking', () => {
  test.each([1000, 65_536, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE + 7])(
    'in chunks of %i bytes become the right blocks',
    async (length) => {
      const service = await startLocalService();
      const disk = diskOf('d0dd00d').subarray(0, 6 * BLOCK_SIZE + 12_345);
      const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
      await pipeline(Readable.from(chunksOf(disk, length)), writer);
      const result = await writer.done();
      expect(service.acknowledgedPuts()).toEqual(expectedPuts(disk));
      expect(result).toMatchObject({
        status: 'completed',
        volumeSizeGiB: 1,
        changedBlocksCount: 7,
        bytesRead: disk.length,
        bytesSent: 7 * BLOCK_SIZE,
        zeroBlocks: 3,
        omittedBlocks: 0,
        retries: 0,
      });
      const volume = await readBack(service, result.snapshotId);
      expect(volume.subarray(0, disk.length).equals(disk)).toBe(true);
      expect(volume.subarray(disk.length).every((byte) => byte === 0)).toBe(true);
    },
  );

  test('as strings and other views', async () => {
    const service = await startLocalService();
    const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
    writer.write('6869', 'hex');
    writer.write(new Uint16Array([0x2121]));
    writer.write(new Uint8Array([0x21]).buffer);
    writer.end();
    const { snapshotId } = await writer.done();
    const volume = await readBack(service, snapshotId, 1);
    expect(volume.subarray(0, 6).toString('latin1')).toBe('hi!!!\0');
  });
});

describe('blocks', () => {
  test('of a BlockReader', async () => {
    const service = await startLocalService();
    const disk = diskOf('dd0d0d').subarray(0, 5 * BLOCK_SIZE + 999);
    const path = join(await temporaryFolder(), 'disk.img');
    await writeFile(path, disk);
    const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
    await pipeline(new BlockReader(path), writer);
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(disk));
  });

  test('in any order, with gaps, hashed when no digest is given', async () => {
    const service = await startLocalService();
    const data = diskOf('d', 7);
    const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
    const released: number[] = [];
    for (const index of [2047, 5, 900]) {
      writer.write({ index, data, release: () => released.push(index) });
    }
    writer.write({ index: 3, data: Buffer.alloc(BLOCK_SIZE) });
    writer.end();
    const { zeroBlocks } = await writer.done();
    const digest = expectedPuts(data)[0]?.slice(2) ?? '';
    expect(service.acknowledgedPuts()).toEqual([
      `3:${toBase64(ZERO_BLOCK_DIGEST)}`,
      ...[5, 900, 2047].map((index) => `${index}:${digest}`),
    ]);
    expect(zeroBlocks).toBe(1);
    expect(released.sort()).toEqual([2047, 5, 900].sort());
  });

  test('written twice keep the last bytes and count once', async () => {
    const service = await startLocalService();
    const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
    for (const seed of [1, 2, 3]) writer.write({ index: 0, data: diskOf('d', seed) });
    writer.end();
    const { changedBlocksCount, snapshotId } = await writer.done();
    expect(changedBlocksCount).toBe(1);
    expect((await readBack(service, snapshotId, 1)).equals(diskOf('d', 3))).toBe(true);
  });

  test.each([
    ['past the end', { index: 2048, data: Buffer.alloc(BLOCK_SIZE) }, /larger than the volume/],
    ['a negative index', { index: -1, data: Buffer.alloc(BLOCK_SIZE) }, /index from 0 on/],
    ['a short block', { index: 0, data: Buffer.alloc(10) }, /must bring a Uint8Array of 524288/],
    ['a short digest', { index: 0, data: Buffer.alloc(BLOCK_SIZE), digest: Buffer.alloc(3) }, /32/],
    ['no block at all', { bytes: 1 }, /a block needs an index/],
  ])('%s are refused', async (_name, block, says) => {
    const { client, requests } = await startLocalService();
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    await expect(pipeline(Readable.from([block]), writer)).rejects.toThrow(says);
    await expect(writer.done()).rejects.toThrow(says);
    expect(requests('PutSnapshotBlock')).toBe(0);
  });

  test('cannot be mixed with bytes', async () => {
    const { client } = await startLocalService();
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    const mixed = Readable.from([Buffer.alloc(9), { index: 0, data: Buffer.alloc(BLOCK_SIZE) }]);
    await expect(pipeline(mixed, writer)).rejects.toThrow(/cannot be mixed/);
  });
});

describe('the service is told', () => {
  test('every parameter of StartSnapshot, and its whole answer comes back', async () => {
    const { client, ebs } = await startLocalService();
    const params = {
      VolumeSize: 3,
      Description: 'a disk',
      Tags: [{ Key: 'Name', Value: 'disk' }],
      ClientToken: 'job-1',
      Encrypted: true,
      KmsKeyArn: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
      Timeout: 100,
    };
    const writer = new SnapshotWriter({ client, params });
    const started: unknown[] = [];
    writer.on('snapshot', (answer) => started.push(answer));
    writer.end(diskOf('d'));
    const { snapshotId } = await writer.done();
    const { Timeout, ClientToken, Encrypted, ...echoed } = params;
    expect(writer.snapshot).toMatchObject({
      ...echoed,
      SnapshotId: snapshotId,
      BlockSize: BLOCK_SIZE,
      OwnerId: '111122223333',
      Status: 'pending',
    });
    expect(writer.snapshot?.StartTime).toBeInstanceOf(Date);
    expect(started).toEqual([writer.snapshot]);
    expect(ebs.history()[0]?.operation).toBe('StartSnapshot');
  });

  test('nothing before the first byte, and nothing for a source that cannot be opened', async () => {
    const { client, ebs } = await startLocalService();
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    const reader = new BlockReader(join(await temporaryFolder(), 'missing.img'));
    await expect(pipeline(reader, writer)).rejects.toMatchObject({
      code: 'ERR_EBS_SOURCE_OPEN',
      path: expect.stringContaining('missing.img') as string,
    });
    await expect(writer.done()).rejects.toMatchObject({ code: 'ERR_EBS_SOURCE_OPEN' });
    expect(ebs.counters().requests).toBe(0);
  });

  test('nothing for an empty source', async () => {
    const { client, ebs } = await startLocalService();
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    writer.on('error', () => undefined);
    writer.end();
    await expect(writer.done()).rejects.toMatchObject({ code: 'ERR_EBS_SOURCE_SIZE' });
    expect(ebs.counters().requests).toBe(0);
  });

  test('a ClientToken of ours, so that a lost answer to StartSnapshot leaks nothing', async () => {
    const { client, ebs, requests } = await startLocalService();
    ebs.inject({ operation: 'StartSnapshot', fault: 'lose-answer' });
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    writer.end(diskOf('d'));
    const { snapshotId } = await writer.done();
    expect(requests('StartSnapshot')).toBe(2);
    const puts = ebs.history().filter(({ operation }) => operation === 'PutSnapshotBlock');
    expect(puts.map((put) => put.snapshotId)).toEqual([snapshotId]);
  });

  test('too many bytes for the volume end the job with one sentence', async () => {
    const { client } = await startLocalService();
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 }, zeroBlocks: 'omit' });
    const zeros = Buffer.alloc(64 * 1024 * 1024);
    const source = Readable.from(Array.from({ length: 17 }, () => zeros));
    await expect(pipeline(source, writer)).rejects.toMatchObject({
      code: 'ERR_EBS_SOURCE_SIZE',
      message: 'the source is larger than the volume of 1073741824 bytes',
    });
    await expect(writer.done()).rejects.toMatchObject({ snapshotId: writer.snapshotId });
  });
});

describe('zero blocks', () => {
  test("'omit' leaves them out", async () => {
    const service = await startLocalService();
    const disk = diskOf('0d00d0');
    const writer = new SnapshotWriter({
      client: service.client,
      params: { VolumeSize: 1 },
      zeroBlocks: 'omit',
    });
    writer.end(disk);
    const result = await writer.done();
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(disk, { omitZeros: true }));
    expect(result).toMatchObject({ changedBlocksCount: 2, zeroBlocks: 4, omittedBlocks: 4 });
  });

  test("'omit' is refused when the account encrypts by default", async () => {
    const { client, requests } = await startLocalService({ encryptionByDefault: true });
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 1 },
      zeroBlocks: 'omit',
      onFailure: 'delete',
    });
    await expect(pipeline(Readable.from([diskOf('0d')]), writer)).rejects.toMatchObject({
      code: 'ERR_EBS_OMIT_REFUSED',
    });
    await expect(writer.done()).rejects.toThrow(/encrypted/);
    expect(requests('PutSnapshotBlock')).toBe(0);
    expect(requests('DeleteSnapshot')).toBe(1);
  });

  test('behind the end of the bytes hide what the parent holds there', async () => {
    const service = await startLocalService();
    const { client } = service;
    const parent = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    parent.end(diskOf('dddd', 1));
    const { snapshotId: ParentSnapshotId } = await parent.done();
    const child = new SnapshotWriter({ client, params: { VolumeSize: 1, ParentSnapshotId } });
    child.end(diskOf('d0', 9));
    const result = await child.done();
    expect(result.changedBlocksCount).toBe(2048);
    const volume = await readBack(service, result.snapshotId, 8);
    expect(volume.subarray(0, 2 * BLOCK_SIZE).equals(diskOf('d0', 9))).toBe(true);
    expect(volume.subarray(2 * BLOCK_SIZE).every((byte) => byte === 0)).toBe(true);
  });

  test('blocks written by index leave the rest of the parent alone', async () => {
    const service = await startLocalService();
    const { client } = service;
    const parent = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    parent.end(diskOf('ddd', 1));
    const { snapshotId: ParentSnapshotId } = await parent.done();
    const child = new SnapshotWriter({ client, params: { VolumeSize: 1, ParentSnapshotId } });
    child.end({ index: 1, data: Buffer.alloc(BLOCK_SIZE) });
    const { snapshotId } = await child.done();
    const expected = diskOf('ddd', 1).fill(0, BLOCK_SIZE, 2 * BLOCK_SIZE);
    expect((await readBack(service, snapshotId, 3)).equals(expected)).toBe(true);
  });

  test('a child that changes nothing is a copy of its parent', async () => {
    const service = await startLocalService();
    const { client } = service;
    const parent = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    parent.end(diskOf('dd', 1));
    const { snapshotId: ParentSnapshotId } = await parent.done();
    const child = new SnapshotWriter({ client, params: { VolumeSize: 1, ParentSnapshotId } });
    child.end();
    const { snapshotId, changedBlocksCount } = await child.done();
    expect(changedBlocksCount).toBe(0);
    expect((await readBack(service, snapshotId, 2)).equals(diskOf('dd', 1))).toBe(true);
  });
});

describe('streams of the platform', () => {
  test('fetch().body.pipeTo(SnapshotWriter.toWeb(writer))', async () => {
    const service = await startLocalService();
    const disk = diskOf('d0dd').subarray(0, 3 * BLOCK_SIZE + 5);
    const server = createServer((_request, response) => response.end(disk)).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const { body } = await fetch(`http://127.0.0.1:${port}/`);
    const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
    await body?.pipeTo(SnapshotWriter.toWeb(writer) as WritableStream<Uint8Array>);
    expect((await writer.done()).status).toBe('completed');
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(disk));
  });

  test('pipeTo rejects with the cause when the upload fails', async () => {
    const { client, ebs } = await startLocalService();
    ebs.inject({
      operation: 'PutSnapshotBlock',
      fault: { status: 403, type: 'AccessDeniedException', message: 'no' },
    });
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    const body = new Blob([diskOf('ddd')]).stream();
    const piped = body.pipeTo(SnapshotWriter.toWeb(writer) as WritableStream<Uint8Array>);
    await expect(piped).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS' });
    await expect(writer.done()).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS' });
  });

  test('a gzip stream through node:zlib', async () => {
    const service = await startLocalService();
    const disk = diskOf('dd00d');
    const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
    await pipeline(Readable.from([gzipSync(disk)]), createGunzip(), writer);
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(disk));
  });

  test('await using destroys an unfinished writer', async () => {
    const { client, ebs } = await startLocalService();
    let done: Promise<unknown>;
    {
      await using writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
      done = writer.done();
      writer.write(diskOf('d'));
    }
    await expect(done).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    expect(ebs.counters().inFlight).toBe(0);
  });
});

describe('back-pressure', () => {
  test('holds no more than the budget while the service does not answer', async () => {
    const { client, ebs } = await startLocalService();
    ebs.inject({ operation: 'PutSnapshotBlock', times: 1000, fault: 'stall' });
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 1 },
      maxInFlightBytes: 4 * BLOCK_SIZE,
    });
    let chunksTaken = 0;
    const source = new Readable({
      highWaterMark: BLOCK_SIZE,
      read() {
        chunksTaken += 1;
        this.push(diskOf('d', chunksTaken));
      },
    });
    const ended = pipeline(source, writer);
    await expect.poll(() => ebs.counters().inFlight).toBe(4);
    const takenWhenFull = chunksTaken;
    await new Promise((resolve) => setImmediate(resolve));
    expect(chunksTaken).toBe(takenWhenFull);
    // Four in the budget, eight in the writer's own queue, one being assembled, a few in the source.
    expect(chunksTaken).toBeLessThan(18);
    writer.destroy();
    await expect(ended).rejects.toMatchObject({ name: 'AbortError' });
    await expect(writer.done()).rejects.toMatchObject({ code: 'ABORT_ERR' });
  });
});

describe('progress', () => {
  test('is told at least at the end, and adds up', async () => {
    const { client } = await startLocalService();
    const disk = diskOf('d0d0').subarray(0, 3 * BLOCK_SIZE + 100);
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 1 },
      sourceSizeBytes: disk.length,
    });
    const seen: Progress[] = [];
    writer.on('progress', (progress) => seen.push(progress));
    writer.end(disk);
    await writer.done();
    expect(seen.at(-1)).toMatchObject({
      bytesDone: disk.length,
      bytesTotal: disk.length,
      bytesTransferred: 4 * BLOCK_SIZE,
      blocksTransferred: 4,
      zeroBlocks: 2,
      omittedBlocks: 0,
      inFlight: 0,
      retries: 0,
    });
    const done = seen.map(({ bytesDone }) => bytesDone);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });
});

describe('a plain Writable', () => {
  test('fires finish only after the snapshot can be read', async () => {
    const service = await startLocalService();
    const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
    expect(writer).toBeInstanceOf(Writable);
    const readable = new Promise<Buffer>((resolve, reject) => {
      writer.once('finish', () => {
        readBack(service, writer.snapshotId, 2).then(resolve, reject);
      });
    });
    writer.end(diskOf('dd'));
    expect((await readable).equals(diskOf('dd'))).toBe(true);
  });
});
