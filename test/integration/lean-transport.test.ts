import { once } from 'node:events';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { chooseTransport } from '../../src/transport/choose-transport.ts';
import { HttpTransport } from '../../src/transport/http-transport.ts';
import { startLocalService } from '../support/local-service.ts';
import { clientOf, httpAnswer, startRawServer, type RawRequest } from '../support/raw-server.ts';
import { TEST_CERTIFICATE } from '../support/test-certificate.ts';

const SNAPSHOT = 'snap-0123456789abcdef0';
const STORED = httpAnswer('201 Created', '{}');
const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local-secret' };

function put(blockIndex: number, size = 524_288) {
  const data = Buffer.alloc(size, blockIndex + 1);
  return { snapshotId: SNAPSHOT, blockIndex, data, digest: sha256(data) };
}

function lean(...[endpoint, config]: Parameters<typeof clientOf>): HttpTransport {
  const transport = new HttpTransport(clientOf(endpoint, config), { ownsClient: false });
  onTestFinished(() => transport.close());
  return transport;
}

function headerOf({ head }: RawRequest, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1];
}

describe('connections', () => {
  test('that the server gave up while they were idle are replaced, unnoticed', async () => {
    let nowMs = 0;
    const server = await startRawServer({
      onRequest: ({ socket }) => {
        if (server.requests.length === 2) socket.resetAndDestroy();
        else socket.write(STORED);
      },
    });
    const client = clientOf(server.endpoint);
    const transport = new HttpTransport(client, { ownsClient: false, nowMs: () => nowMs });
    onTestFinished(() => transport.close());
    await transport.putSnapshotBlock(put(0));
    nowMs += 5_000;
    const sockets: boolean[] = [];
    await transport.putSnapshotBlock(put(1), {
      observer: { onSocket: ({ isFresh }) => sockets.push(isFresh) },
    });
    expect(sockets).toEqual([false, true]);
    expect(server.requests).toHaveLength(3);
  });

  test('on which nothing moves any more are given up, with a request or without', async () => {
    const server = await startRawServer({
      onRequest: ({ socket }) => {
        if (server.requests.length > 1) socket.write(STORED);
      },
    });
    const client = clientOf(server.endpoint);
    const transport = new HttpTransport(client, { ownsClient: false, idleTimeoutMs: 50 });
    onTestFinished(() => transport.close());
    await expect(transport.putSnapshotBlock(put(0))).rejects.toMatchObject({
      name: 'TransportError',
      retryable: true,
      message:
        'PutSnapshotBlock of block 0 got no answer (ETIMEDOUT): ' +
        'Nothing moved on the connection for 0.05 seconds',
    });
    await transport.putSnapshotBlock(put(1));
    await expect.poll(() => server.openCount()).toBe(0);
  });

  test('that the server closes while they are idle are not used again', async () => {
    const server = await startRawServer({ onRequest: ({ socket }) => socket.end(STORED) });
    const transport = lean(server.endpoint);
    for (const index of [0, 1, 2]) {
      await transport.putSnapshotBlock(put(index));
      await expect.poll(() => server.openCount()).toBe(0);
    }
    expect(server.requests).toHaveLength(3);
  });

  test('that were just in use and are reset count as failures', async () => {
    const server = await startRawServer({
      onRequest: ({ socket }) => {
        if (server.requests.length === 2) socket.resetAndDestroy();
        else socket.write(STORED);
      },
    });
    const transport = lean(server.endpoint);
    await transport.putSnapshotBlock(put(0));
    await expect(transport.putSnapshotBlock(put(1))).rejects.toMatchObject({
      code: 'ERR_EBS_TRANSPORT',
    });
  });

  test('are as many as requests at a time, and all are closed at the end', async () => {
    const waiting: RawRequest[] = [];
    const server = await startRawServer({ onRequest: (request) => waiting.push(request) });
    const transport = lean(server.endpoint);
    const puts = Array.from({ length: 20 }, (_, index) => transport.putSnapshotBlock(put(index)));
    await expect.poll(() => waiting.length).toBe(20);
    for (const { socket } of waiting) socket.write(STORED);
    await Promise.all(puts);
    expect(server.openCount()).toBe(20);
    await transport.close();
    await expect.poll(() => server.openCount()).toBe(0);
  });

  test('speak TLS with the certificate authority of the agent, and resume sessions', async () => {
    const reused: boolean[] = [];
    const names: unknown[] = [];
    const server = createTlsServer(TEST_CERTIFICATE, (socket: TLSSocket) => {
      reused.push(socket.isSessionReused());
      names.push(socket.servername);
      let left = 524_288;
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => {
        left -= bytes.length;
        if (left <= 0) socket.end(httpAnswer('201 Created', '{}', { Connection: 'close' }));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const endpoint = `https://localhost:${(server.address() as AddressInfo).port}`;
    const requestHandler = { httpsAgent: { ca: TEST_CERTIFICATE.cert } };
    const transport = lean(endpoint, { requestHandler });
    for (const index of [0, 1, 2]) await transport.putSnapshotBlock(put(index));
    expect(reused).toEqual([false, true, true]);
    expect(names).toEqual(['localhost', 'localhost', 'localhost']);
    await expect(lean(endpoint).putSnapshotBlock(put(0))).rejects.toMatchObject({
      code: 'ERR_EBS_TRANSPORT',
      cause: expect.objectContaining({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }) as Error,
    });
  });
});

test('an abort in the moment between connecting and sending is heard', async () => {
  const server = await startRawServer({ onRequest: ({ socket }) => socket.write(STORED) });
  const transport = lean(server.endpoint);
  for (const index of [0, 1]) {
    const abort = new AbortController();
    const observer = { onSocket: () => abort.abort() };
    await expect(
      transport.putSnapshotBlock(put(index), { signal: abort.signal, observer }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  }
  expect(server.requests).toHaveLength(0);
});

test('an observer hears what happens to an attempt, in order', async () => {
  let reading: RawRequest | undefined;
  const server = await startRawServer({
    answersAfter: 'head',
    onRequest: (request) => (reading = request),
  });
  const size = 32 * 1024 * 1024;
  const heard: string[] = [];
  let bytesSent = 0;
  const attempt = lean(server.endpoint).putSnapshotBlock(put(0, size), {
    observer: {
      onSocket: ({ isFresh, connectMs }) => heard.push(`socket ${isFresh} ${typeof connectMs}`),
      onFirstByte: () => heard.push('first byte'),
      onProgress: (bytes) => {
        expect(bytes).toBeGreaterThan(bytesSent);
        bytesSent = bytes;
      },
      onFlushed: () => heard.push('flushed'),
      onAnswer: () => heard.push('answer'),
    },
  });
  await expect.poll(() => bytesSent).toBeGreaterThan(0);
  expect(bytesSent).toBeLessThan(size);
  expect(heard).toEqual(['socket true number', 'first byte']);
  reading?.socket.resume();
  await expect.poll(() => heard).toContain('flushed');
  reading?.socket.write(STORED);
  await attempt;
  expect(heard).toEqual(['socket true number', 'first byte', 'flushed', 'answer']);
});

test('a body has left when the other side has acknowledged it, or begins to answer', async () => {
  const server = await startRawServer({
    onRequest: ({ socket }) => {
      if (server.requests.length > 1) socket.write(STORED);
    },
  });
  let queuedBytes = 1000;
  const transport = new HttpTransport(clientOf(server.endpoint), {
    ownsClient: false,
    sendQueue: () => queuedBytes,
  });
  onTestFinished(() => transport.close());
  const heard: string[] = [];
  const observer = {
    onProgress: (bytes: number) => void heard.push(String(bytes)),
    onFlushed: () => void heard.push('flushed'),
    onAnswer: () => void heard.push('answer'),
  };
  const abort = new AbortController();
  const unanswered = transport.putSnapshotBlock(put(0), { observer, signal: abort.signal });
  unanswered.catch(() => undefined);
  await expect.poll(() => heard).toEqual([String(524_288 - 1000)]);
  queuedBytes = 0;
  await expect.poll(() => heard).toEqual([String(524_288 - 1000), '524288', 'flushed']);
  abort.abort();
  await unanswered.catch(() => undefined);

  queuedBytes = 1000;
  heard.length = 0;
  await transport.putSnapshotBlock(put(1), { observer });
  expect(heard.filter((word) => !/\d/.test(word))).toEqual(['flushed', 'answer']);
});

test('diagnostics channels tell of each request while somebody listens', async () => {
  const { client, ebs } = await startLocalService();
  const told: { channel: string; message: Record<string, unknown> }[] = [];
  for (const event of ['start', 'end', 'error']) {
    const channel = `ebs-snapshot-stream:request:${event}`;
    const listener = (message: unknown): void =>
      void told.push({ channel: event, message: message as Record<string, unknown> });
    subscribe(channel, listener);
    onTestFinished(() => void unsubscribe(channel, listener));
  }
  for (const choice of ['lean', 'sdk'] as const) {
    told.length = 0;
    const transport = chooseTransport(client, { choice, ownsClient: false });
    onTestFinished(() => transport.close());
    const { SnapshotId: snapshotId } = await transport.startSnapshot({ VolumeSize: 1 });
    ebs.inject({ operation: 'PutSnapshotBlock', fault: { status: 500, type: 'Oops' } });
    const failed = transport.putSnapshotBlock({ ...put(3), snapshotId }, { attempt: 2 });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    const start = { operation: 'StartSnapshot', attempt: 1, transport: choice };
    const second = {
      operation: 'PutSnapshotBlock',
      snapshotId,
      blockIndex: 3,
      attempt: 2,
      transport: choice,
    };
    const durationMs = expect.any(Number) as number;
    expect(told).toEqual([
      { channel: 'start', message: start },
      { channel: 'end', message: { ...start, durationMs } },
      { channel: 'start', message: second },
      { channel: 'error', message: { ...second, durationMs, error } },
    ]);
  }
});

test('a client with middleware of its own is used as it is, which is said when lean was asked for', async () => {
  const { client, ebs } = await startLocalService();
  const seen: string[] = [];
  client.middlewareStack.add(
    (next, context) => (args) => {
      seen.push(context.commandName ?? '');
      return next(args);
    },
    { step: 'initialize', name: 'mine' },
  );
  const warned = once(process, 'warning');
  const transport = chooseTransport(client, { choice: 'lean', ownsClient: false });
  onTestFinished(() => transport.close());
  await transport.startSnapshot({ VolumeSize: 1 });
  expect(seen).toEqual(['StartSnapshotCommand']);
  expect(ebs.counters().requests).toBe(1);
  const [warning] = (await warned) as [Error];
  expect(warning.message).toMatch(/SDK transport: it has middleware of its own/);
});

describe('of a client', () => {
  test('the endpoint’s path, the session token and the user agent are kept', async () => {
    const server = await startRawServer({ onRequest: ({ socket }) => socket.write(STORED) });
    const credentials = { ...CREDENTIALS, sessionToken: 'token+/=' };
    const config = { credentials, customUserAgent: 'mine/1 é', userAgentAppId: 'app' };
    await lean(`${server.endpoint}/a/pre fix/`, config).putSnapshotBlock(put(7));
    const [request] = server.requests;
    expect(request?.head).toMatch(
      /^PUT \/a\/pre%20fix\/snapshots\/snap-0123456789abcdef0\/blocks\/7 HTTP\/1\.1/,
    );
    if (request === undefined) return;
    expect(headerOf(request, 'x-amz-security-token')).toBe('token+/=');
    expect(headerOf(request, 'user-agent')).toMatch(
      /aws-sdk-js.* mine\/1__ .*lib#ebs-snapshot-stream/,
    );
    expect(headerOf(request, 'host')).toBe(new URL(server.endpoint).host);
  });

  test('credentials are renewed when the service calls them expired, once for all', async () => {
    let issued = 0;
    const expired = httpAnswer('400 Bad Request', '{"message":"expired"}', {
      'x-amzn-ErrorType': 'ExpiredTokenException',
    });
    const server = await startRawServer({
      onRequest: (request) =>
        request.socket.write(
          headerOf(request, 'x-amz-security-token') === 'token-1' ? expired : STORED,
        ),
    });
    const transport = lean(server.endpoint, {
      credentials: () => {
        issued += 1;
        return Promise.resolve({ ...CREDENTIALS, sessionToken: `token-${issued}` });
      },
    });
    const puts = [0, 1, 2, 3].map((index) => transport.putSnapshotBlock(put(index)));
    for (const settled of await Promise.allSettled(puts)) {
      expect(settled).toMatchObject({ status: 'rejected', reason: { retryClass: 'credentials' } });
    }
    await transport.putSnapshotBlock(put(0));
    expect(issued).toBe(2);
  });

  test('a wrong clock is corrected by the service’s Date', async () => {
    const { client, ebs } = await startLocalService();
    client.config.systemClockOffset = -3_600_000;
    const transport = new HttpTransport(client, { ownsClient: false });
    onTestFinished(() => transport.close());
    const start = { VolumeSize: 1 };
    await expect(transport.startSnapshot(start)).rejects.toMatchObject({ retryClass: 'clock' });
    await transport.startSnapshot(start);
    expect(Math.abs(client.config.systemClockOffset)).toBeLessThan(240_000);
    expect(ebs.counters().byOperation.StartSnapshot).toBe(2);
  });

  test('missing credentials and impossible endpoints are access errors', async () => {
    const failing = { credentials: () => Promise.resolve({} as typeof CREDENTIALS) };
    await expect(
      lean('http://127.0.0.1:1', failing).putSnapshotBlock(put(0)),
    ).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS', retryable: false });
    await expect(
      lean('http://127.0.0.1:1', { useFipsEndpoint: true }).putSnapshotBlock(put(0)),
    ).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS', retryable: false });
  });

  test('credentials that do not come do not hold up an abort', async () => {
    const abort = new AbortController();
    const credentials = () => new Promise<never>(() => abort.abort());
    await expect(
      lean('http://127.0.0.1:1', { credentials }).putSnapshotBlock(put(0), {
        signal: abort.signal,
      }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});
