import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { SnapshotWriter, type SnapshotWriterOptions } from '../../src/index.ts';
import type { HostilitySettings, RequestRecord } from '../../src/local.ts';
import { HttpTransport } from '../../src/transport/http-transport.ts';
import { diskOf, expectedPuts } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';

vi.mock(import('../../src/base/clock.ts'), async () => {
  const { QuickClock } = await import('../support/quick-clock.ts');
  return { systemClock: new QuickClock(100) };
});

// On a clock that fast every request looks stalled.
vi.mock(import('../../src/pipeline/stall-rule.ts'), async (original) => {
  const { StallRule } = await original();
  return {
    StallRule: class extends StallRule {
      override isStalled = (): boolean => false;
    },
  };
});

/** Documented for 2 minutes after StartSnapshot. */
const VISIBILITY_MS = 120_000;
const DISK = diskOf('0'.repeat(64));

/** A service whose time is the writer's, and that does not know a snapshot before it has a certain age. */
function startBlindService(withinMs: number, rate = 1): Promise<LocalService> {
  const hostility: HostilitySettings = { seed: 5, faults: { invisible: { rate, withinMs } } };
  return startLocalService({ hostility, clock: { now: () => 1.8e12 + systemClock.now() } });
}

function upload({ client }: LocalService, options: Partial<SnapshotWriterOptions> = {}) {
  const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 }, ...options });
  writer.on('error', () => undefined);
  writer.end(DISK);
  return writer;
}

function puts({ ebs }: LocalService): RequestRecord[] {
  return ebs
    .history()
    .filter(({ operation }) => operation === 'PutSnapshotBlock')
    .sort((a, b) => a.sequence - b.sequence);
}

describe('a snapshot that is not known everywhere for 20 seconds', () => {
  test('is asked for by one request at a time, and then gets every block once', async () => {
    const service = await startBlindService(20_000);
    await upload(service).done();
    const all = puts(service);
    const refused = all.filter(({ status }) => status === 404);
    const together = refused.filter(({ concurrency }) => concurrency > 1);
    // What had been sent before the first refusal came: the window that a job begins with.
    expect(together.length).toBeLessThanOrEqual(8);
    const probes = refused.slice(8);
    expect(probes.length).toBeGreaterThan(1);
    expect(new Set(probes.map(({ blockIndex }) => blockIndex)).size).toBe(1);
    expect(probes.every(({ concurrency }) => concurrency === 1)).toBe(true);
    // 20 seconds with pauses of up to three: far fewer requests than blocks.
    expect(refused.length).toBeLessThan(64);
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(DISK));
  });

  test('in a part of the service: refused blocks are sent again though others were accepted', async () => {
    const service = await startBlindService(20_000, 0.3);
    await upload(service).done();
    expect(puts(service).some(({ status }) => status === 404)).toBe(true);
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(DISK));
  });
});

test('a snapshot that is deleted after that time ends the job at once', async () => {
  const service = await startLocalService();
  const { ebs, client } = service;
  const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
  const retries: unknown[] = [];
  writer.on('retry', (event) => retries.push(event));
  writer.on('error', () => undefined);
  const started = new Promise((resolve) => writer.once('snapshot', resolve));
  writer.write(diskOf('0'));
  await started;
  await systemClock.sleep(VISIBILITY_MS + 1000);
  const transport = new HttpTransport(client, { ownsClient: false });
  await transport.deleteSnapshot({ snapshotId: writer.snapshotId ?? '' });
  await transport.close();
  writer.end(diskOf('00'));
  await expect(writer.done()).rejects.toMatchObject({
    code: 'ERR_EBS_SERVICE',
    snapshotId: writer.snapshotId,
    attempts: 1,
    message: expect.stringMatching(
      /does not exist; the snapshot was deleted, or given up by AWS for want of blocks: upload again$/,
    ) as string,
  });
  expect(retries).toEqual([]);
  expect(ebs.counters().byOperation).not.toHaveProperty('CompleteSnapshot');
});

test('a snapshot that is unknown for longer than two minutes is gone', async () => {
  const service = await startBlindService(2 * VISIBILITY_MS);
  const startedAtMs = systemClock.now();
  await expect(upload(service).done()).rejects.toMatchObject({
    code: 'ERR_EBS_SERVICE',
    statusCode: 404,
    reason: 'SNAPSHOT_NOT_FOUND',
    blockIndex: expect.any(Number) as number,
  });
  expect(systemClock.now() - startedAtMs).toBeGreaterThan(VISIBILITY_MS);
  expect(service.requests('CompleteSnapshot')).toBe(0);
});
