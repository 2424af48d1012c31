import { describe, expect, test, vi } from 'vitest';
import { startLocalService } from '../support/local-service.ts';
import { RawConnection } from '../support/raw-connection.ts';
import { signedHead } from '../support/sign-request.ts';
import {
  GARBAGE,
  OPERATIONS,
  OPERATIONS_WITH_ID,
  signedRequest,
  WICKED_BODIES,
  WICKED_IDS,
  WRONG_MEMBERS,
} from './garbage.ts';

const MIB = 1_048_576;

/** Sends one request and returns the status of its answer. */
async function statusOf(endpoint: string, bytes: Uint8Array): Promise<number> {
  const connection = (await RawConnection.open(endpoint)).send(bytes);
  const [status = 0] = await connection.answers(1);
  connection.leave();
  return status;
}

test.each(GARBAGE)('$name', async ({ bytes, statuses, isFinished }) => {
  const { ebs } = await startLocalService();
  const connection = await RawConnection.open(ebs.endpoint);
  connection.send(Buffer.from(bytes, 'latin1'));
  if (isFinished === true) connection.finish();
  const isRefused = [400, 413, 431].includes(statuses.at(-1) ?? 400);
  if (isRefused) await connection.ended();
  expect(await connection.answers(statuses.length)).toEqual(statuses);
  connection.leave();
});

describe('StartSnapshot answers 400 to', () => {
  test.each([...WICKED_BODIES, ...WRONG_MEMBERS.map((body) => [body, body] as const)])(
    '%s',
    async (_, body) => {
      const { ebs } = await startLocalService();
      const request = { method: 'POST', url: '/snapshots' };
      const bytes = signedRequest(ebs.endpoint, request, Buffer.from(body, 'latin1'));
      expect(await statusOf(ebs.endpoint, bytes)).toBe(400);
      expect(ebs.history()).toMatchObject([{ operation: 'StartSnapshot', status: 400 }]);
    },
  );
});

test('an id that leads elsewhere is refused by every operation', async () => {
  const { ebs } = await startLocalService();
  for (const id of WICKED_IDS) {
    for (const operation of OPERATIONS_WITH_ID) {
      const bytes = signedRequest(ebs.endpoint, operation(id), Buffer.alloc(0));
      expect([400, 404], id.slice(0, 60)).toContain(await statusOf(ebs.endpoint, bytes));
    }
  }
  const lengths = ebs
    .history()
    .flatMap(({ snapshotId = '', message = '' }) => [snapshotId.length, message.length]);
  // A record keeps 1,024 characters and the sign that there were more.
  expect(Math.max(...lengths)).toBe(1025);
});

describe('of 1 GiB little is read by', () => {
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB), Buffer.from('\r\n')]);

  test.each(OPERATIONS)('$method $url $service', async (operation) => {
    const { ebs } = await startLocalService();
    for (const [headers, data] of [
      [{ 'content-length': 1024 * MIB }, Buffer.alloc(MIB)],
      [{ 'transfer-encoding': 'chunked' }, chunk],
    ] as const) {
      const connection = await RawConnection.open(ebs.endpoint);
      connection.send(signedHead(ebs.endpoint, { ...operation, headers }));
      // Beyond the 16 MiB that are dropped for the sake of the answer, the kernel buffers some on either side.
      expect(await connection.flood(data, 1024 * MIB)).toBeLessThan(128 * MIB);
      connection.leave();
    }
  });
});

describe('a client that is too slow', () => {
  const IDLE = { idleTimeoutMs: 100 };

  test('sends a head byte by byte, without end', async () => {
    const { ebs } = await startLocalService(IDLE);
    const connection = await RawConnection.open(ebs.endpoint);
    connection.send('GET / HTTP/1.1\r\n');
    const drip = setInterval(() => connection.send('x'), 5);
    await connection.ended();
    clearInterval(drip);
    expect(connection.statuses).toEqual([408]);
  });

  test('says nothing at all', async () => {
    const { ebs } = await startLocalService(IDLE);
    const connection = await RawConnection.open(ebs.endpoint);
    expect(await connection.ended()).toMatch(/^$|^HTTP\/1\.1 408 /);
  });

  test('falls silent in a body', async () => {
    const { ebs, client } = await startLocalService(IDLE);
    const url = '/snapshots/snap-0fedcba9876543210/blocks/0';
    const headers = { 'content-length': 524_288 };
    const head = signedHead(ebs.endpoint, { method: 'PUT', url, headers });
    const connection = (await RawConnection.open(ebs.endpoint)).send(`${head}few`);
    await connection.ended();
    expect(connection.statuses).toEqual([400]);
    expect(connection.received).toContain("Value null at 'dataLength'");
    expect(ebs.counters().inFlight).toBe(0);
    client.destroy();
  });
});

test('a pipeline is answered in its order', async () => {
  const { ebs } = await startLocalService();
  const list = signedHead(ebs.endpoint, {
    method: 'GET',
    url: '/snapshots/snap-0fedcba9876543210/blocks',
  });
  const identity = Buffer.from('Action=GetCallerIdentity&Version=2011-06-15');
  const ask = { method: 'POST', url: '/', service: 'sts' };
  const sts = signedRequest(ebs.endpoint, ask, identity).toString('latin1');
  const connection = (await RawConnection.open(ebs.endpoint)).send((list + sts).repeat(50));
  const expected = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 404 : 200));
  await vi.waitFor(() => expect(connection.statuses).toEqual(expected), { timeout: 10_000 });
  connection.leave();
});

test('half-closed connections get their answers', async () => {
  const { ebs } = await startLocalService();
  const head = signedHead(ebs.endpoint, { method: 'GET', url: '/', service: 's3' });
  const connection = (await RawConnection.open(ebs.endpoint)).send(head).finish();
  expect(await connection.ended()).toContain('</ListAllMyBucketsResult>');
});
