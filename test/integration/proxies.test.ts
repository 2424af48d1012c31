import { EBSClient } from '@aws-sdk/client-ebs';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { sha256, toBase64 } from '../../src/base/digest.ts';
import { uploadSnapshot } from '../../src/index.ts';
import { leanObstacle } from '../../src/transport/choose-transport.ts';
import { HttpTransport } from '../../src/transport/http-transport.ts';
import { makeClient } from '../../src/transport/make-client.ts';
import { ProxyHttpAgent, ProxyHttpsAgent } from '../../src/transport/proxy-agents.ts';
import { SdkTransport } from '../../src/transport/sdk-transport.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { startLocalService } from '../support/local-service.ts';
import { startProxy, startTlsFront, type ProxyServer } from '../support/proxy-server.ts';
import { httpAnswer, startRawServer, type RawRequest } from '../support/raw-server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { TEST_CERTIFICATE } from '../support/test-certificate.ts';

const SNAPSHOT = 'snap-0123456789abcdef0';
const VARIABLES = ['https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'];

beforeEach(() => {
  for (const name of VARIABLES.flatMap((lower) => [lower, lower.toUpperCase()])) {
    vi.stubEnv(name, undefined);
  }
});
afterEach(() => void vi.unstubAllEnvs());

/** A client as {@link makeClient} makes it, which trusts the test's certificate and finds every name at this machine. */
function clientAt(endpoint: string): EBSClient {
  const agent = {
    keepAlive: true,
    ca: TEST_CERTIFICATE.cert,
    lookup: (_name: string, _options: unknown, found: (error: null, all: object[]) => void) =>
      found(null, [{ address: '127.0.0.1', family: 4 }]),
  };
  return new EBSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local-secret' },
    requestHandler: {
      httpAgent: new ProxyHttpAgent(agent as object),
      httpsAgent: new ProxyHttpsAgent(agent as object),
    },
  });
}

function put(blockIndex: number) {
  const data = Buffer.alloc(524_288, blockIndex + 1);
  return { snapshotId: SNAPSHOT, blockIndex, data, digest: sha256(data) };
}

function urlOf({ port }: ProxyServer, credentials?: string): string {
  return `http://${credentials === undefined ? '' : `${credentials}@`}127.0.0.1:${port}`;
}

/** A local service behind TLS and a proxy that is the only way to it. */
async function startService(credentials?: string) {
  const service = await startLocalService();
  const requestPort = Number(new URL(service.ebs.endpoint).port);
  const tunnelPort = await startTlsFront(requestPort);
  const options = {
    tunnelPort,
    requestPort,
    ...(credentials === undefined ? {} : { credentials }),
  };
  return { ...service, requestPort, tunnelPort, proxy: await startProxy(options) };
}

test('a client as the library makes it is no obstacle to the lean transport', async () => {
  const client = makeClient({
    region: 'us-east-1',
    credentials: { accessKeyId: '', secretAccessKey: '' },
  });
  onTestFinished(() => client.destroy());
  expect(await leanObstacle(client)).toBeUndefined();
});

const TRANSPORTS = {
  lean: (client: EBSClient) => new HttpTransport(client, { ownsClient: true }),
  sdk: (client: EBSClient) => new SdkTransport(client, { ownsClient: true }),
} as const;

describe.each(['lean', 'sdk'] as const)('through the %s transport', (transport) => {
  const open = (endpoint: string): Transport => {
    const opened = TRANSPORTS[transport](clientAt(endpoint));
    onTestFinished(() => opened.close());
    return opened;
  };

  test.each([
    ['https', /^CONNECT ebs\.test:443$/],
    ['http', /^(POST|PUT|GET) http:\/\/ebs\.test\/snapshots/],
  ])('a snapshot is uploaded over %s', async (scheme, asked) => {
    const { proxy, acknowledgedPuts } = await startService('me@home:p%:ß');
    vi.stubEnv(`${scheme.toUpperCase()}_PROXY`, urlOf(proxy, 'me%40home:p%25%3A%C3%9F'));
    const disk = randomBytes(3 * 524_288);
    const source = join(await temporaryFolder(), 'disk.img');
    await writeFile(source, disk);
    const client = clientAt(`${scheme}://ebs.test`);
    onTestFinished(() => client.destroy());
    await uploadSnapshot({ client, source, transport });
    expect(acknowledgedPuts().slice(0, 3)).toEqual(
      [0, 1, 2].map((index) => {
        const digest = sha256(disk.subarray(index * 524_288, (index + 1) * 524_288));
        return `${index}:${toBase64(digest)}`;
      }),
    );
    for (const request of proxy.asked) expect(request).toMatch(asked);
  });

  test('many tunnels are opened at once, without a warning', async () => {
    const { proxy } = await startService();
    vi.stubEnv('HTTPS_PROXY', urlOf(proxy));
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const opened = open('https://ebs.test');
    const start = (): Promise<unknown> => opened.startSnapshot({ VolumeSize: 1 });
    await Promise.all(Array.from({ length: 20 }, start));
    expect(proxy.asked).toHaveLength(20);
    await start();
    expect(proxy.asked).toHaveLength(20);
    expect(warnings).toEqual([]);
  });

  test('each host goes its own way: NO_PROXY has the one of EC2', async () => {
    const { proxy, requestPort, requests } = await startService();
    vi.stubEnv('http_proxy', urlOf(proxy));
    vi.stubEnv('NO_PROXY', 'other.test, ec2.test');
    const opened = open(`http://ebs.test:${requestPort}`);
    const { SnapshotId: snapshotId } = await opened.startSnapshot({ VolumeSize: 1 });
    await opened.deleteSnapshot({ snapshotId });
    expect(proxy.asked).toEqual([`POST http://ebs.test:${requestPort}/snapshots`]);
    expect(requests('DeleteSnapshot')).toBe(1);
  });

  test('EC2 is reached through a tunnel of its own', async () => {
    const { proxy } = await startService();
    vi.stubEnv('ALL_PROXY', `127.0.0.1:${proxy.port}`);
    const opened = open('https://ebs.test');
    const { SnapshotId: snapshotId } = await opened.startSnapshot({ VolumeSize: 1 });
    await opened.deleteSnapshot({ snapshotId });
    expect(proxy.asked).toEqual(['CONNECT ebs.test:443', 'CONNECT ec2.test:443']);
  });

  test.each(['http', 'https'])(
    'this machine is reached over %s without a proxy',
    async (scheme) => {
      const { proxy, requestPort, tunnelPort } = await startService();
      vi.stubEnv('ALL_PROXY', urlOf(proxy));
      for (const host of ['localhost', '127.0.0.1']) {
        const port = scheme === 'http' ? requestPort : tunnelPort;
        await open(`${scheme}://${host}:${port}`).startSnapshot({ VolumeSize: 1 });
      }
      expect(proxy.asked).toEqual([]);
    },
  );

  test.each<[string, string, object]>([
    [
      '407 Proxy Authentication Required',
      'asks for a user and a password (407 Proxy Authentication Required); those in its URL are not accepted',
      { code: 'ERR_EBS_PROXY', retryClass: 'never' },
    ],
    [
      '403 Forbidden',
      'refused (403 Forbidden); ask who runs it to allow the endpoint',
      { code: 'ERR_EBS_PROXY', retryClass: 'never' },
    ],
    [
      '503 Service Unavailable',
      'refused (503 Service Unavailable)',
      { code: 'ERR_EBS_TRANSPORT', retryClass: 'transient' },
    ],
  ])('a proxy that answers %s is told of', async (status, words, expected) => {
    const proxy = await startProxy({ answer: `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n` });
    vi.stubEnv('HTTPS_PROXY', urlOf(proxy, 'user:secret'));
    const error = await failureOf(open('https://ebs.test'));
    expect(error).toMatchObject({ ...expected, snapshotId: SNAPSHOT, blockIndex: 3 });
    expect(error.message).toMatch(/^PutSnapshotBlock of block 3 /);
    expect(error.message).toContain(`: the proxy ${urlOf(proxy)} ${words}`);
    expect(proxy.asked).toHaveLength(1);
    await expect.poll(() => proxy.openCount()).toBe(0);
  });

  test('a proxy that asks for a password over plain HTTP is told of', async () => {
    const { proxy } = await startService('user:secret');
    vi.stubEnv('HTTP_PROXY', urlOf(proxy));
    const error = await failureOf(open('http://ebs.test'));
    expect(error).toMatchObject({ code: 'ERR_EBS_PROXY', retryClass: 'never', blockIndex: 3 });
    expect(error.message).toContain(
      `the proxy ${urlOf(proxy)} asks for a user and a password (407); ` +
        'put them into its URL, as http://user:password@host:port',
    );
  });

  test.each(['http', 'https'])('a proxy that is not there is told of, over %s', async (scheme) => {
    vi.stubEnv('ALL_PROXY', 'http://user:secret@127.0.0.1:1');
    const error = await failureOf(open(`${scheme}://ebs.test`));
    expect(error).toMatchObject({ code: 'ERR_EBS_TRANSPORT', retryClass: 'transient' });
    expect(error.message).toBe(
      'PutSnapshotBlock of block 3 got no answer (ECONNREFUSED): ' +
        'the proxy http://127.0.0.1:1 could not be reached: connect ECONNREFUSED 127.0.0.1:1',
    );
  });

  test('what is not an HTTP proxy is told of', async () => {
    const server = await startRawServer({
      onRequest: ({ socket }) => socket.write('SSH-2.0-x\r\n'),
    });
    vi.stubEnv('HTTPS_PROXY', server.endpoint);
    const error = await failureOf(open('https://ebs.test'));
    expect(error).toMatchObject({ code: 'ERR_EBS_PROXY', retryClass: 'never' });
    expect(error.message).toContain(`what listens at ${server.endpoint} is not an HTTP proxy`);
  });

  test('a proxy of another kind is told of before anything is sent', async () => {
    const proxy = await startProxy({});
    vi.stubEnv('all_proxy', `socks5://user:secret@127.0.0.1:${proxy.port}`);
    for (const scheme of ['http', 'https']) {
      const error = await failureOf(open(`${scheme}://ebs.test`));
      expect(error).toMatchObject({ code: 'ERR_EBS_PROXY', retryClass: 'never' });
      expect(error.message).toContain('all_proxy names a proxy of the kind socks5');
      expect(error.message).not.toContain('secret');
    }
    expect(proxy.openCount()).toBe(0);
  });

  test('a server that the proxy does not reach, and a tunnel that breaks, are lost connections', async () => {
    const lost = { code: 'ERR_EBS_TRANSPORT', retryClass: 'transient' };
    const blind = await startProxy({ tunnelPort: 1 });
    vi.stubEnv('HTTPS_PROXY', urlOf(blind));
    expect(await failureOf(open('https://ebs.test'))).toMatchObject(lost);
    const server = await startRawServer({ onRequest: () => proxy.reset() });
    const proxy = await startProxy({ tunnelPort: await startTlsFront(server.port) });
    vi.stubEnv('HTTPS_PROXY', urlOf(proxy));
    expect(await failureOf(open('https://ebs.test'))).toMatchObject(lost);
    expect(server.requests).toHaveLength(1);
  });

  test('an abort while the proxy is silent ends the call, and the tunnel', async () => {
    const proxy = await startProxy({ answer: '' });
    vi.stubEnv('HTTPS_PROXY', urlOf(proxy));
    const opened = open('https://ebs.test');
    const abort = new AbortController();
    const call = opened.putSnapshotBlock(put(0), { signal: abort.signal });
    const ended = expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => proxy.asked).toEqual(['CONNECT ebs.test:443']);
    abort.abort();
    await ended;
    await opened.close();
    await expect.poll(() => proxy.openCount()).toBe(0);
  });
});

async function failureOf(transport: Transport): Promise<Error> {
  const error: unknown = await transport
    .putSnapshotBlock(put(3))
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Error);
  return error as Error;
}

test('a tunnel must be there in 15 seconds', async () => {
  const proxy = await startProxy({ answer: '' });
  vi.stubEnv('HTTPS_PROXY', urlOf(proxy));
  const transport = TRANSPORTS.lean(clientAt('https://ebs.test'));
  onTestFinished(() => transport.close());
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const ended = expect(transport.putSnapshotBlock(put(0))).rejects.toMatchObject({
    retryClass: 'transient',
    message:
      'PutSnapshotBlock of block 0 got no answer (ETIMEDOUT): ' +
      `No connection to ebs.test:443 through the proxy ${urlOf(proxy)} within 15 seconds`,
  });
  await vi.waitUntil(() => proxy.asked.length === 1);
  vi.advanceTimersByTime(15_000);
  await ended;
});

test('a body is seen to leave through a tunnel', async () => {
  const reading: RawRequest[] = [];
  const server = await startRawServer({
    answersAfter: 'head',
    onRequest: (request) => reading.push(request),
  });
  const proxy = await startProxy({ tunnelPort: await startTlsFront(server.port) });
  vi.stubEnv('HTTPS_PROXY', urlOf(proxy));
  const transport = TRANSPORTS.lean(clientAt('https://ebs.test'));
  onTestFinished(() => transport.close());
  const data = Buffer.alloc(32 * 1024 * 1024);
  const request = { snapshotId: SNAPSHOT, blockIndex: 0, data, digest: sha256(data) };
  let bytesSent = 0;
  const call = transport.putSnapshotBlock(request, {
    observer: { onProgress: (bytes) => (bytesSent = bytes) },
  });
  await expect.poll(() => bytesSent).toBeGreaterThan(0);
  expect(bytesSent).toBeLessThan(data.length);
  await expect.poll(() => reading.length).toBe(1);
  reading[0]?.socket.resume();
  await expect.poll(() => reading[0]?.socket.bytesRead).toBeGreaterThan(data.length);
  reading[0]?.socket.write(httpAnswer('201 Created', '{}'));
  await call;
});

test('a tunnel on which nothing moves is given up', async () => {
  const silent = await startRawServer({ onRequest: () => undefined });
  const proxy = await startProxy({ tunnelPort: await startTlsFront(silent.port) });
  vi.stubEnv('HTTPS_PROXY', urlOf(proxy));
  const client = clientAt('https://ebs.test');
  const transport = new HttpTransport(client, { ownsClient: true, idleTimeoutMs: 100 });
  onTestFinished(() => transport.close());
  const sockets: object[] = [];
  const observer = { onSocket: (facts: object) => sockets.push(facts) };
  await expect(transport.putSnapshotBlock(put(0), { observer })).rejects.toMatchObject({
    message: expect.stringContaining('Nothing moved on the connection for 0.1 seconds') as string,
  });
  expect(sockets).toEqual([{ isFresh: true, connectMs: expect.any(Number) as number }]);
  await expect.poll(() => proxy.openCount()).toBe(0);
});
