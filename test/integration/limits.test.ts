import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  BLOCK_SIZE,
  restoreSnapshot,
  SnapshotWriter,
  uploadSnapshot,
  type Job,
  type WindowEvent,
} from '../../src/index.ts';
import { chunksOf, diskOf, expectedPuts } from '../support/disk-content.ts';
import { HeldPuts } from '../support/held-puts.ts';
import { startLocalService } from '../support/local-service.ts';
import { storeSnapshot } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DISK = diskOf('d'.repeat(16), 11);
/** Slower than any test is patient: one request in ten minutes. */
const NEVER = 1 / 600;

describe('limits of a SnapshotWriter', () => {
  test('are what was given, with the default of memory, and replaced as a whole', async () => {
    const { client } = await startLocalService();
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 1 },
      maxRequestsPerSecond: 5,
    });
    onTestFinished(() => writer[Symbol.asyncDispose]());
    const maxInFlightBytes = 128 * 1024 * 1024;
    expect(writer.limits).toEqual({ maxInFlightBytes, maxRequestsPerSecond: 5 });
    writer.limits = { ...writer.limits, maxBytesPerSecond: 7e6 };
    expect(writer.limits).toEqual({
      maxInFlightBytes,
      maxRequestsPerSecond: 5,
      maxBytesPerSecond: 7e6,
    });
    writer.limits = { maxInFlightBytes: BLOCK_SIZE };
    expect(writer.limits).toEqual({ maxInFlightBytes: BLOCK_SIZE });
    writer.limits = {};
    expect(writer.limits).toEqual({ maxInFlightBytes });
  });

  test.each([
    [undefined, TypeError, 'limits must be an object; received nothing'],
    [
      { maxRequestsPerSecond: 0 },
      RangeError,
      'limits.maxRequestsPerSecond must be a number of requests a second above 0; received 0',
    ],
    [
      { maxBytesPerSecond: '9M' },
      TypeError,
      "limits.maxBytesPerSecond must be a number of bytes a second; received '9M'",
    ],
    [
      { maxInFlightBytes: 1000 },
      RangeError,
      'limits.maxInFlightBytes must be a whole number of bytes, at least 524288; received 1000',
    ],
    [{ maxRate: 5 }, TypeError, 'limits has no option "maxRate"'],
  ])('that are wrong change nothing: %o', async (limits, type, message) => {
    const { client } = await startLocalService();
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 1 },
      maxBytesPerSecond: 1e6,
    });
    onTestFinished(() => writer[Symbol.asyncDispose]());
    const before = writer.limits;
    const assign = (): unknown => (writer.limits = limits as object);
    expect(assign).toThrow(type);
    expect(assign).toThrow(message);
    expect(writer.limits).toBe(before);
  });

  test('let go at once what a lifted cap held back', async () => {
    const service = await startLocalService();
    const writer = new SnapshotWriter({
      client: service.client,
      params: { VolumeSize: 1 },
      maxRequestsPerSecond: NEVER,
    });
    const done = pipeline(Readable.from(chunksOf(DISK, BLOCK_SIZE)), writer);
    await vi.waitFor(() => expect(writer.state.window?.limitedBy).toBe('user-cap'));
    expect(service.requests('PutSnapshotBlock')).toBeLessThanOrEqual(1);
    writer.limits = {};
    await done;
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(DISK));
  });

  test('let more memory be used at once, and less once blocks are home', async () => {
    const { client } = await startLocalService();
    const puts = new HeldPuts(client);
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 1 },
      maxInFlightBytes: 2 * BLOCK_SIZE,
    });
    const done = pipeline(Readable.from(chunksOf(DISK, BLOCK_SIZE)), writer);
    await vi.waitFor(() => expect(writer.progress.inFlight).toBe(2));
    await vi.waitFor(() => expect(writer.state.window?.limit).toBe(2));
    writer.limits = { maxInFlightBytes: 5 * BLOCK_SIZE };
    await vi.waitFor(() => expect(puts.heldCount).toBe(5));
    writer.limits = { maxInFlightBytes: BLOCK_SIZE };
    expect(writer.state.window).toMatchObject({ limit: 1, inFlight: 5 });
    puts.open();
    await done;
    expect(await writer.done()).toMatchObject({ changedBlocksCount: 16 });
  });
});

describe('limits of a job of a function', () => {
  test.each(['native', 'js'] as const)(
    'change for a disk that the %s engine reads',
    async (engine) => {
      const service = await startLocalService();
      const puts = new HeldPuts(service.client);
      const source = join(await temporaryFolder(), 'disk.img');
      await writeFile(source, DISK);
      let job: Job | undefined;
      const done = uploadSnapshot({
        client: service.client,
        source,
        engine,
        maxInFlightBytes: 2 * BLOCK_SIZE,
        on: { start: (started) => (job = started) },
      });
      await vi.waitFor(() => expect(puts.heldCount).toBe(2));
      if (job === undefined) throw new Error('the job was not told of');
      job.limits = { ...job.limits, maxInFlightBytes: 6 * BLOCK_SIZE };
      await vi.waitFor(() => expect(puts.heldCount).toBe(6));
      expect(job.state.progress).toMatchObject({ inFlight: 6, bytesTotal: DISK.length });
      puts.open();
      await done;
      expect(service.acknowledgedPuts()).toEqual(expectedPuts(DISK));
    },
  );

  test('change for a restore', async () => {
    const service = await startLocalService();
    const blocks = new Map(Array.from({ length: 12 }, (_, index) => [index, index + 1] as const));
    const snapshotId = await storeSnapshot(service.client, blocks);
    let job: Job | undefined;
    const done = restoreSnapshot({
      client: service.client,
      snapshotId,
      target: join(await temporaryFolder(), 'disk.img'),
      maxRequestsPerSecond: NEVER,
      maxInFlightBytes: 4 * BLOCK_SIZE,
      on: { start: (started) => (job = started) },
    });
    await vi.waitFor(() => expect(job?.state.window?.limitedBy).toBe('user-cap'));
    expect(job?.state.progress.blocksTransferred).toBeLessThanOrEqual(1);
    if (job !== undefined) job.limits = { maxInFlightBytes: 8 * BLOCK_SIZE };
    expect(job?.state.window?.limit).toBe(8);
    expect(await done).toMatchObject({ blocksRead: 12 });
  });

  test('end it when the listener that is told of it throws', async () => {
    const { client, requests } = await startLocalService();
    const failure = new Error('not today');
    const done = uploadSnapshot({
      client,
      source: Readable.from([DISK]),
      params: { VolumeSize: 1 },
      on: {
        start: () => {
          throw failure;
        },
      },
    });
    await expect(done).rejects.toBe(failure);
    expect(requests('StartSnapshot')).toBe(0);
  });
});

test('window and state tell of a quota that was found, and of the time it cost', async () => {
  const service = await startLocalService({
    hostility: { quotas: { snapshot: { PutSnapshotBlock: { rate: 20, depth: 2 } } } },
  });
  const windows: WindowEvent[] = [];
  const writer = new SnapshotWriter({ client: service.client, params: { VolumeSize: 1 } });
  writer.on('window', (event) => windows.push(event));
  await pipeline(Readable.from(chunksOf(diskOf('d'.repeat(48), 3), BLOCK_SIZE)), writer);
  expect(windows[0]).toMatchObject({ jobs: 1 });
  expect(windows.some(({ snapshotPerSecond = Infinity }) => snapshotPerSecond < 60)).toBe(true);
  const { throttles, spentMs, progress } = writer.state;
  expect(throttles.snapshot).toBeGreaterThan(0);
  expect(throttles.account).toBe(0);
  const inAll = Object.values(spentMs).reduce((sum, ms) => sum + ms, 0);
  expect(inAll).toBeGreaterThan(0);
  expect(inAll).toBeLessThanOrEqual(progress.elapsedMs);
});
