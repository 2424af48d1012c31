import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PutSnapshotBlockCommand } from '@aws-sdk/client-ebs';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  BLOCK_SIZE,
  SnapshotWriter,
  type BlockInput,
  type RetryEvent,
  type SnapshotWriterOptions,
  type ThrottleEvent,
} from '../../src/index.ts';
import type { Fault } from '../../src/local.ts';
import { sha256, toBase64 } from '../../src/base/digest.ts';
import { chunksOf, diskOf, expectedPuts } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';

const DISK = diskOf('dd0ddd');

/** Uploads DISK and notes what the writer said on the way. */
function upload({ client }: LocalService, options: Partial<SnapshotWriterOptions> = {}) {
  const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 }, ...options });
  const retries: RetryEvent[] = [];
  const throttles: ThrottleEvent[] = [];
  writer.on('retry', (event) => retries.push(event));
  writer.on('throttle', (event) => throttles.push(event));
  const piped = pipeline(Readable.from(chunksOf(DISK, 100_000)), writer);
  piped.catch(() => undefined);
  return { writer, piped, retries, throttles };
}

describe('an upload survives', () => {
  test.each<[string, Fault, number]>([
    ['resets', 'reset', 3],
    ['lost answers', 'lose-answer', 2],
    ['bodies changed on the way', 'corrupt', 2],
    ['another checksum in the answer', 'wrong-checksum', 2],
    ['credentials that have expired', 'expired-credentials', 1],
    ['500', { status: 500, type: 'InternalServerException' }, 5],
    ['503 of a balancer', { status: 503, type: 'ServiceUnavailable' }, 3],
    [
      'bodies that the network cut',
      {
        status: 400,
        type: 'ValidationException',
        reason: 'INVALID_PARAMETER_VALUE',
        message: 'Failed to read block data',
      },
      3,
    ],
    [
      'a snapshot not yet visible everywhere',
      { status: 404, type: 'ResourceNotFoundException', reason: 'SNAPSHOT_NOT_FOUND' },
      4,
    ],
  ])('%s', async (_name, fault, times) => {
    const service = await startLocalService();
    service.ebs.inject({ operation: 'PutSnapshotBlock', times, fault });
    const { writer, piped, retries } = upload(service);
    await piped;
    expect((await writer.done()).retries).toBe(times);
    expect(retries).toHaveLength(times);
    expect(retries[0]).toMatchObject({ operation: 'PutSnapshotBlock', attempt: 1 });
    expect(new Set(service.acknowledgedPuts())).toEqual(new Set(expectedPuts(DISK)));
  });

  test.each<Fault>(['stall-before-body', 'stall-in-body', 'stall', 'stall-before-answer'])(
    '%s of the last blocks, without waiting for long',
    async (fault) => {
      const service = await startLocalService();
      service.ebs.inject({ operation: 'PutSnapshotBlock', times: 2, fault });
      const { writer, piped, retries } = upload(service);
      await piped;
      expect((await writer.done()).changedBlocksCount).toBe(6);
      expect(new Set(service.acknowledgedPuts())).toEqual(new Set(expectedPuts(DISK)));
      expect(retries.map(({ error }) => error.message)).toEqual([
        expect.stringMatching(/^PutSnapshotBlock of block \d was dropped: nothing moved for/),
        expect.stringMatching(/^PutSnapshotBlock of block \d was dropped: nothing moved for/),
      ]);
    },
  );

  test.each([
    ['RequestThrottledException', 'RESOURCE_LEVEL_THROTTLE', 'snapshot'],
    ['RequestThrottledException', 'ACCOUNT_THROTTLED', 'account'],
    ['ThrottlingException', undefined, 'account'],
  ])('%s %s, told as a throttle of the %s', async (type, reason, scope) => {
    const service = await startLocalService();
    const fault = { status: 400, type, ...(reason === undefined ? {} : { reason }) };
    service.ebs.inject({ operation: 'PutSnapshotBlock', times: 12, fault });
    const { piped, throttles } = upload(service);
    await piped;
    expect(throttles).toHaveLength(12);
    expect(throttles[0]).toEqual({ scope, operation: 'PutSnapshotBlock' });
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(DISK));
  });

  test('failures of StartSnapshot, CompleteSnapshot and the listing', async () => {
    const service = await startLocalService();
    for (const operation of ['StartSnapshot', 'CompleteSnapshot', 'ListSnapshotBlocks']) {
      service.ebs.inject({
        operation,
        times: 2,
        fault: { status: 500, type: 'InternalServerException' },
      });
    }
    const { writer, piped } = upload(service);
    await piped;
    expect((await writer.done()).status).toBe('completed');
  });

  test('a snapshot that becomes completed, and then readable, late', async () => {
    const service = await startLocalService({ lags: { completionMs: 400, readabilityMs: 400 } });
    const { writer, piped } = upload(service);
    await piped;
    expect((await writer.done()).status).toBe('completed');
    expect(service.requests('CompleteSnapshot')).toBeGreaterThan(1);
    expect(service.requests('ListSnapshotBlocks')).toBeGreaterThan(1);
  });
});

describe('an upload stops at once', () => {
  test('at the first permanent failure, with cause, block and request id', async () => {
    const service = await startLocalService();
    service.ebs.inject({
      operation: 'PutSnapshotBlock',
      blockIndex: 3,
      fault: { status: 403, type: 'AccessDeniedException', message: 'not authorized' },
    });
    const { writer, piped, retries } = upload(service);
    const failure = {
      name: 'ServiceError',
      code: 'ERR_EBS_ACCESS',
      statusCode: 403,
      serviceCode: 'AccessDeniedException',
      blockIndex: 3,
      attempts: 1,
      retryable: false,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    };
    await expect(piped).rejects.toMatchObject(failure);
    await expect(writer.done()).rejects.toMatchObject({
      ...failure,
      snapshotId: writer.snapshotId,
    });
    expect(retries).toEqual([]);
    expect(service.requests('CompleteSnapshot')).toBe(0);
    await expect.poll(() => service.ebs.counters().inFlight).toBe(0);
  });

  test('when its signal aborts, with every request dropped', async () => {
    const service = await startLocalService();
    service.ebs.inject({ operation: 'PutSnapshotBlock', times: 100, fault: 'stall' });
    const abort = new AbortController();
    const { writer, piped } = upload(service, { signal: abort.signal });
    await expect.poll(() => service.ebs.counters().inFlight).toBe(6);
    abort.abort(new Error('enough'));
    const aborted = { name: 'AbortError', code: 'ABORT_ERR', cause: new Error('enough') };
    await expect(piped).rejects.toMatchObject(aborted);
    await expect(writer.done()).rejects.toMatchObject(aborted);
    await expect.poll(() => service.ebs.counters().inFlight).toBe(0);
  });

  test('when its signal has aborted before, without a call', async () => {
    const service = await startLocalService();
    const { writer, piped } = upload(service, { signal: AbortSignal.abort() });
    await expect(piped).rejects.toMatchObject({ name: 'AbortError' });
    await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
    expect(service.ebs.counters().requests).toBe(0);
  });

  test('in the middle of waiting for a retry', async () => {
    const service = await startLocalService();
    service.ebs.inject({
      operation: 'PutSnapshotBlock',
      times: 1e6,
      fault: { status: 500, type: 'InternalServerException' },
    });
    const { writer, piped, retries } = upload(service);
    await expect.poll(() => retries.length).toBeGreaterThan(10);
    writer.destroy();
    await expect(piped).rejects.toMatchObject({ name: 'AbortError' });
    await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a snapshot that could not be finished', () => {
  test.each([
    ['delete', 1],
    ['keep', 0],
  ] as const)("onFailure: '%s' asks for %i deletion", async (onFailure, deletions) => {
    const service = await startLocalService();
    service.ebs.inject({
      operation: 'PutSnapshotBlock',
      fault: { status: 402, type: 'ServiceQuotaExceededException' },
    });
    const { writer } = upload(service, { onFailure });
    await expect(writer.done()).rejects.toMatchObject({ code: 'ERR_EBS_SERVICE' });
    expect(service.requests('DeleteSnapshot')).toBe(deletions);
  });

  test('is reported when the service fails it after accepting it, and deleted if asked', async () => {
    const service = await startLocalService();
    const { client } = service;
    const writer = new SnapshotWriter({
      client,
      params: { VolumeSize: 1 },
      onFailure: 'delete',
    });
    writer.on('error', () => undefined);
    writer.write(diskOf('d'));
    await expect.poll(() => writer.snapshotId).toBeDefined();
    // Somebody else writes into the snapshot, so that its count is not ours.
    const data = Buffer.alloc(BLOCK_SIZE, 9);
    await client.send(
      new PutSnapshotBlockCommand({
        SnapshotId: writer.snapshotId,
        BlockIndex: 99,
        BlockData: data,
        DataLength: BLOCK_SIZE,
        Checksum: toBase64(sha256(data)),
        ChecksumAlgorithm: 'SHA256',
      }),
    );
    writer.end();
    await expect(writer.done()).rejects.toMatchObject({
      name: 'CompletionError',
      code: 'ERR_EBS_SNAPSHOT_FAILED',
      snapshotId: writer.snapshotId,
    });
    expect(service.requests('DeleteSnapshot')).toBe(1);
  });

  test('is kept, and said to be unconfirmed, when its state cannot be learned', async () => {
    const service = await startLocalService();
    service.ebs.inject({
      operation: 'ListSnapshotBlocks',
      fault: { status: 403, type: 'AccessDeniedException' },
    });
    const { writer } = upload(service, { onFailure: 'delete' });
    await expect(writer.done()).rejects.toMatchObject({
      code: 'ERR_EBS_UNCONFIRMED',
      cause: expect.objectContaining({ code: 'ERR_EBS_ACCESS' }) as Error,
    });
    expect(service.requests('DeleteSnapshot')).toBe(0);
  });

  test("is done when accepted with waitUntil: 'accepted'", async () => {
    const service = await startLocalService({ lags: { completionMs: 60_000 } });
    const { writer, piped } = upload(service, { waitUntil: 'accepted' });
    await piped;
    expect((await writer.done()).status).toBe('pending');
    expect(service.requests('CompleteSnapshot')).toBe(1);
    expect(service.requests('ListSnapshotBlocks')).toBe(0);
  });
});

describe('a block that changes in memory after it was hashed', () => {
  function writeBlock({ client }: LocalService, block: BlockInput): SnapshotWriter {
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    writer.on('error', () => undefined);
    writer.end(block);
    return writer;
  }
  const corruption = {
    name: 'IntegrityError',
    code: 'ERR_EBS_INTEGRITY',
    message: 'block 0 changed in memory after it was hashed',
    blockIndex: 0,
    attempts: 1,
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
  };

  test('is found when the service refuses it, and not written', async () => {
    const service = await startLocalService();
    const digest = sha256(diskOf('d', 2));
    const writer = writeBlock(service, { index: 0, data: diskOf('d'), digest });
    await expect(writer.done()).rejects.toMatchObject(corruption);
    expect(service.acknowledgedPuts()).toEqual([]);
  });

  test('is found when the answer has another checksum', async () => {
    const service = await startLocalService();
    service.ebs.inject({ operation: 'PutSnapshotBlock', fault: 'wrong-checksum' });
    const data = diskOf('d');
    const damage = (): void => void data.fill(0, 0, 1);
    subscribe('ebs-snapshot-stream:request:error', damage);
    onTestFinished(() => void unsubscribe('ebs-snapshot-stream:request:error', damage));
    const writer = writeBlock(service, { index: 0, data, digest: sha256(data) });
    await expect(writer.done()).rejects.toMatchObject(corruption);
    expect(service.requests('CompleteSnapshot')).toBe(0);
  });
});

test.each(['lean', 'sdk'] as const)(
  'a checksum that is wrong in every answer ends the job over the %s transport',
  async (transport) => {
    const service = await startLocalService();
    service.ebs.inject({ operation: 'PutSnapshotBlock', times: 100, fault: 'wrong-checksum' });
    const { writer } = upload(service, { transport });
    await expect(writer.done()).rejects.toMatchObject({
      code: 'ERR_EBS_INTEGRITY',
      message: expect.stringMatching(
        /^block \d of snap-\w+ was stored with the checksum .{44}, sent with .{44}$/,
      ) as string,
      attempts: 4,
    });
    expect(service.requests('CompleteSnapshot')).toBe(0);
  },
);

test('caps on requests and bytes a second are kept', async () => {
  const service = await startLocalService();
  const { writer, piped } = upload(service, {
    maxRequestsPerSecond: 20,
    maxBytesPerSecond: 10 * BLOCK_SIZE,
  });
  await piped;
  await writer.done();
  const starts = service.ebs
    .history()
    .filter(({ operation }) => operation === 'PutSnapshotBlock')
    .map(({ startedAtMs }) => startedAtMs)
    .sort((a, b) => a - b);
  // Six blocks at ten a second: five gaps of 100 ms, and no two closer than a loaded machine may squeeze them.
  expect((starts.at(-1) ?? 0) - (starts[0] ?? 0)).toBeGreaterThan(400);
});
