import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { HostilitySettings, RequestRecord } from '../../src/local.ts';
import { BLOCK_SIZE, ServiceUnderTest } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const { ebs } = service;
const id = await service.newSnapshot();

/** The records of the Puts of some blocks at the same time. */
async function puts(settings: HostilitySettings, count: number): Promise<RequestRecord[]> {
  ebs.setHostility(settings);
  onTestFinished(() => ebs.setHostility({}));
  const before = ebs.history().length;
  const indices = Array.from({ length: count }, (_, index) => index);
  const answers = await Promise.all(indices.map((index) => service.put({ snapshotId: id, index })));
  expect(answers.map(({ status }) => status)).toEqual(indices.map(() => 201));
  return ebs.history().slice(before);
}

/** Milliseconds from the first start to the last end of the bodies. */
function bodyMs(records: readonly RequestRecord[]): number {
  const ends = records.map(({ bodyAtMs = NaN }) => bodyAtMs);
  return Math.max(...ends) - Math.min(...records.map(({ startedAtMs }) => startedAtMs));
}

test('a narrow path takes no less than its time, whatever the number of connections', async () => {
  const upBytesPerSecond = 8 * BLOCK_SIZE;
  const records = await puts({ path: { upBytesPerSecond } }, 4);
  expect(bodyMs(records)).toBeGreaterThan(490);
});

test('connections share a path fairly: none is done long before the others', async () => {
  const path = { upBytesPerSecond: 16 * BLOCK_SIZE };
  ebs.setHostility({ path, frozen: true });
  const before = ebs.history().length;
  const sent = [0, 1, 2, 3].map((index) => service.put({ snapshotId: id, index }));
  await expect.poll(() => ebs.counters().inFlight).toBe(4);
  const startMs = performance.timeOrigin + performance.now();
  ebs.setHostility({ path });
  await Promise.all(sent);
  ebs.setHostility({});
  const ends = ebs.history().slice(before);
  const spent = ends.map(({ bodyAtMs = NaN }) => bodyAtMs - startMs);
  // One after the other, the first would be done in a quarter of the time.
  expect(Math.min(...spent) / Math.max(...spent)).toBeGreaterThan(0.6);
});

test('a connection can have a bandwidth of its own', async () => {
  const [record] = await puts({ path: { connectionBytesPerSecond: 8 * BLOCK_SIZE } }, 1);
  expect(bodyMs(record === undefined ? [] : [record])).toBeGreaterThan(120);
});

test('a cliff is felt by the bytes under way', async () => {
  ebs.setHostility({ path: { upBytesPerSecond: 1000 } });
  const put = service.put({ snapshotId: id, index: 0 });
  await expect.poll(() => ebs.counters().inFlight).toBe(1);
  ebs.setHostility({ path: { upBytesPerSecond: 1e9 } });
  expect((await put).status).toBe(201);
  ebs.setHostility({});
});

test('answers are as slow as the path', async () => {
  const stored = await service.stored({ 0: 7 });
  const token = (await service.tokens(stored)).get(0) ?? '';
  ebs.setHostility({ path: { downBytesPerSecond: 8 * BLOCK_SIZE } });
  onTestFinished(() => ebs.setHostility({}));
  expect((await service.get(stored, 0, token)).body.equals(Buffer.alloc(BLOCK_SIZE, 7))).toBe(true);
  await expect.poll(() => ebs.history().at(-1)?.sentAtMs).toBeDefined();
  const { endedAtMs, sentAtMs = NaN } = ebs.history().at(-1) ?? { endedAtMs: NaN };
  expect(sentAtMs - endedAtMs).toBeGreaterThan(110);
});

test('a round trip passes, and one more on a new connection', async () => {
  const fresh = await ServiceUnderTest.startAlone({ hostility: { path: { rttMs: 40 } } });
  try {
    await fresh.start();
    await fresh.start();
    const [first, second] = fresh.ebs.history();
    expect([first, second].map((record) => record?.connectionRequest)).toEqual([1, 2]);
    const spent = [first, second].map((record) =>
      record === undefined ? NaN : record.endedAtMs - record.startedAtMs,
    );
    expect(spent[0]).toBeGreaterThan(78);
    expect(spent[1]).toBeGreaterThan(38);
  } finally {
    await fresh.close();
  }
});

test('latency passes between the end of a request and its answer', async () => {
  const latency = { PutSnapshotBlock: 60, default: { minMs: 30, maxMs: 40 } };
  const [put] = await puts({ latency }, 1);
  expect((put?.endedAtMs ?? NaN) - (put?.bodyAtMs ?? NaN)).toBeGreaterThan(58);
  await service.start();
  const start = ebs.history().at(-1);
  expect((start?.endedAtMs ?? NaN) - (start?.bodyAtMs ?? NaN)).toBeGreaterThan(28);
});

test('blocks that wait for their answers hold no buffers', async () => {
  const small = await ServiceUnderTest.startAlone({ maxBufferBytes: BLOCK_SIZE });
  try {
    const snapshotId = await small.newSnapshot();
    small.ebs.setHostility({ latency: { PutSnapshotBlock: 1e9 } });
    const waiting = [0, 1, 2].map((index) => small.put({ snapshotId, index }));
    const ends = Promise.allSettled(waiting);
    // All three are stored, though there is one buffer and no answer yet.
    await expect
      .poll(async () => (await small.ebs.snapshotReport(snapshotId))?.computed.changedBlocksCount)
      .toBe(3);
    await small.ebs.close();
    await ends;
  } finally {
    await small.close();
  }
});

test('a throttled request is not kept waiting', async () => {
  const snapshotId = await service.newSnapshot();
  const quotas = { snapshot: { PutSnapshotBlock: { rate: 0, depth: 1 } } };
  ebs.setHostility({ quotas });
  onTestFinished(() => ebs.setHostility({}));
  await service.put({ snapshotId, index: 0 });
  ebs.setHostility({ quotas, latency: { default: 1e9 } });
  expect((await service.put({ snapshotId, index: 1 })).status).toBe(400);
});

/** Bytes that the kernel takes from a client while the service reads nothing. */
async function swallowed(path: HostilitySettings['path']): Promise<number> {
  const closed = await ServiceUnderTest.startAlone({
    hostility: { faults: { 'stall-before-body': 1 }, ...(path === undefined ? {} : { path }) },
  });
  const { hostname, port } = new URL(closed.ebs.endpoint);
  const sending = 32 * 1_048_576;
  const socket: Socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  try {
    socket.write(
      `PUT /snapshots/snap-1/blocks/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 33554432\r\n\r\n`,
    );
    socket.write(Buffer.alloc(sending));
    const left = (): number => socket.writableLength;
    await expect.poll(() => closed.ebs.counters().inFlight).toBe(1);
    let before = NaN;
    // Until it takes no more.
    await expect
      .poll(() => [left() === before, (before = left())][0], { interval: 100 })
      .toBe(true);
    const { _handle: handle } = socket as unknown as { _handle: { writeQueueSize: number } };
    return sending - handle.writeQueueSize;
  } finally {
    socket.destroy();
    await closed.close();
  }
}

test.runIf(process.platform === 'linux')(
  'with a bounded window the kernel does not swallow a block',
  async () => {
    const bounded = await swallowed({ receiveWindowBytes: 16_384 });
    expect(bounded).toBeLessThan(BLOCK_SIZE);
    expect(bounded).toBeLessThan(await swallowed(undefined));
  },
);
