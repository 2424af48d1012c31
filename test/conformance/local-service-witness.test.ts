import { describe, expect, test } from 'vitest';
import type { SecondRates, SnapshotReport } from '../../src/local.ts';
import { block, digestOf, linearOf, ServiceUnderTest } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const { ebs } = service;

const ask = (name: string) =>
  service.sendRaw({ method: 'GET', path: `/_local/${name}`, headers: {} });

test('a request is told from its headers to the last byte of its answer', async () => {
  const id = await service.newSnapshot();
  await service.put({ snapshotId: id, index: 3 });
  await expect.poll(() => ebs.history().at(-1)?.sentAtMs).toBeDefined();
  const record = ebs.history().at(-1);
  expect(record).toMatchObject({
    operation: 'PutSnapshotBlock',
    snapshotId: id,
    blockIndex: 3,
    digest: digestOf(block(1)),
    status: 201,
    concurrency: 1,
    attempt: 1,
    bodyBytesIn: 524_288,
  });
  const {
    startedAtMs,
    bodyAtMs = NaN,
    endedAtMs,
    sentAtMs = NaN,
  } = record ?? { startedAtMs: NaN, endedAtMs: NaN };
  const times = [startedAtMs, bodyAtMs, endedAtMs, sentAtMs];
  expect([...times].sort((a, b) => a - b)).toEqual(times);
});

test('attempts, connections and their requests are numbered', async () => {
  const fresh = await ServiceUnderTest.startAlone();
  try {
    const id = await fresh.newSnapshot();
    fresh.ebs.inject({ operation: 'PutSnapshotBlock', fault: 'bad-read' });
    for (let i = 0; i < 3; i += 1) await fresh.put({ snapshotId: id, index: 0 });
    await fresh.put({ snapshotId: id, index: 1 });
    const told = fresh.ebs
      .history()
      .map(({ attempt, connectionId, connectionRequest, fault }) => [
        attempt,
        connectionId,
        connectionRequest,
        fault,
      ]);
    // A 400 closes its connection.
    expect(told).toEqual([
      [1, 1, 1, undefined],
      [1, 1, 2, 'bad-read'],
      [2, 2, 1, undefined],
      [3, 2, 2, undefined],
      [1, 2, 3, undefined],
    ]);
  } finally {
    await fresh.close();
  }
});

describe('the report of a snapshot', () => {
  const reportOf = async (id: string): Promise<SnapshotReport> =>
    (await ask(`snapshots/${id}`)).json as unknown as SnapshotReport;

  test('a clean upload: nothing twice, nothing late, and the figures agree', async () => {
    const id = await service.newSnapshot();
    for (const index of [0, 7, 600])
      await service.put({ snapshotId: id, index, data: block(index % 256) });
    const checksum = linearOf(block(0), block(7), block(600 % 256));
    await service.complete(id, { count: 3, checksum, algorithm: 'SHA256', method: 'LINEAR' });
    const report = await reportOf(id);
    expect(report).toEqual(await ebs.snapshotReport(id));
    expect(report).toMatchObject({
      snapshotId: id,
      status: 'completed',
      statusMessage: null,
      requests: { PutSnapshotBlock: 3, CompleteSnapshot: 1 },
      blocksPut: 3,
      blocksPutAgain: 0,
      repeatedPuts: 0,
      needlessPuts: 0,
      putsAfterComplete: 0,
      throttles: 0,
      untracked: 0,
      declared: { changedBlocksCount: 3, checksum },
      computed: { changedBlocksCount: 3, checksum },
    });
    expect(report.rates.reduce((sum, { blocksIn }) => sum + blocksIn, 0)).toBe(3);
  });

  test('a careless one: repeats, needed or not, Puts after Complete, a wrong count', async () => {
    const id = await service.newSnapshot();
    ebs.inject({ snapshotId: id, blockIndex: 0, fault: 'internal-error' });
    ebs.inject({ snapshotId: id, blockIndex: 1, fault: 'lose-answer' });
    for (const index of [0, 0, 2, 2]) await service.put({ snapshotId: id, index });
    await expect(service.put({ snapshotId: id, index: 1 })).rejects.toThrow();
    await service.put({ snapshotId: id, index: 1 });
    await service.complete(id, { count: 6 });
    await service.put({ snapshotId: id, index: 3 });
    await service.complete(id, { count: 3 });
    expect(await reportOf(id)).toMatchObject({
      status: 'error',
      statusMessage: 'Changed blocks count mismatch for snapshot',
      requests: { PutSnapshotBlock: 7, CompleteSnapshot: 2 },
      blocksPut: 3,
      blocksPutAgain: 3,
      repeatedPuts: 3,
      needlessPuts: 1,
      needlessBlocks: [2],
      putsAfterComplete: 1,
      declared: { changedBlocksCount: 6, checksum: null },
      computed: { changedBlocksCount: 3, checksum: linearOf(block(1), block(1), block(1)) },
    });
  });

  test('the most requests at one time', async () => {
    const id = await service.newSnapshot();
    ebs.setHostility({ frozen: true });
    const puts = [0, 1, 2].map((index) => service.put({ snapshotId: id, index }));
    await expect.poll(() => ebs.counters().inFlight).toBe(3);
    ebs.setHostility({});
    await Promise.all(puts);
    expect((await reportOf(id)).inFlightMax).toBe(3);
  });

  test('none of a snapshot that nobody asked for', async () => {
    expect((await ask('snapshots/snap-0ffffffffffffffff')).status).toBe(404);
    expect((await ask('snapshots/..%2f')).status).toBe(404);
    expect(await ebs.snapshotReport('snap-0ffffffffffffffff')).toBeUndefined();
  });
});

test('rates by the second add up to the counters', async () => {
  const { text } = await ask('rates');
  const seconds = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SecondRates);
  expect(seconds).toEqual(ebs.rates());
  const total = (name: keyof SecondRates): number =>
    seconds.reduce((sum, rates) => sum + rates[name], 0);
  const { requests, byStatus } = ebs.counters();
  expect(total('arrived')).toBe(requests);
  const succeeded = Object.entries(byStatus)
    .filter(([status]) => status.startsWith('2'))
    .reduce((sum, [, count]) => sum + count, 0);
  expect(total('succeeded')).toBe(succeeded);
  expect(total('failed') + total('throttled')).toBe(requests - succeeded);
});
