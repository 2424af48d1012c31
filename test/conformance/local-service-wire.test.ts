import { createConnection } from 'node:net';
import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import { block, errorOf, ServiceUnderTest } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const regional = await ServiceUnderTest.start({
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AK', secretAccessKey: 'SK', sessionToken: 'ST' },
});
const stored = await service.stored({ 0: 1 });

describe('section 1.3: the form of an answer', () => {
  test(row('1.3 request id', 'date and length, and no Server'), async () => {
    for (const answer of [await service.start(), await service.list('snap-0')]) {
      expect(answer.headers['x-amzn-requestid']).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/,
      );
      expect(answer.headerNames).toEqual(
        expect.arrayContaining(['x-amzn-RequestId', 'Content-Length', 'Content-Type', 'Date']),
      );
      expect(Math.abs(Date.parse(String(answer.headers.date)) - Date.now())).toBeLessThan(5000);
      expect(answer.headers['content-length']).toBe(String(answer.body.length));
      expect(answer.headers.server).toBeUndefined();
    }
  });

  test(
    row('1.3 keep-alive, closed by every 400', '2xx, 403, 404 and 409 leave it open'),
    async () => {
      await service.start({ ClientToken: 'wire' });
      const open = [
        await service.start(),
        await service.list('snap-0fedcba9876543210'),
        await service.start({ ClientToken: 'wire', VolumeSize: 2 }),
        await service.put({ snapshotId: stored, index: 0, request: { signingDate: new Date(0) } }),
      ];
      expect(open.map(({ status }) => status)).toEqual([201, 404, 409, 403]);
      expect(open.map(({ headers }) => headers.connection)).not.toContain('close');
      const closing = await service.list(stored, { maxResults: '1' });
      expect([closing.status, closing.headers.connection]).toEqual([400, 'close']);
    },
  );

  test('an unknown path or method is an UnknownOperationException', async () => {
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['DELETE', `/snapshots/${stored}`],
      ['POST', '/snapshots/'],
      ['GET', '/snapshots/../../etc/passwd/blocks'],
    ] as const) {
      const answer = await service.send({ method, path });
      expect(errorOf(answer)).toMatchObject({ status: 404, type: 'UnknownOperationException' });
    }
  });

  test('an id that is none never gets beyond the constraints', async () => {
    for (const id of ['', 'x', '..%2F..%2Fx', 'snap-0%00', `snap-${'0'.repeat(60)}`]) {
      const answer = await service.send({ method: 'GET', path: `/snapshots/${id}/blocks` });
      expect(answer.status, id).toBe(400);
      expect(answer.text).toContain("at 'snapshotId' failed to satisfy constraint");
    }
  });
});

describe('section 1.1: signatures', () => {
  test.each<[string, Parameters<typeof service.send>[0], string]>([
    [
      row('1.1 signature: SigV4, service ebs, region of the host', 'another key id'),
      request({ credentials: { accessKeyId: 'other', secretAccessKey: 'local-secret' } }),
      'UnrecognizedClientException',
    ],
    [
      row('1.1 signature: SigV4, service ebs, region of the host', 'another secret'),
      request({ credentials: { accessKeyId: 'local', secretAccessKey: 'other' } }),
      'InvalidSignatureException',
    ],
    [
      row(
        '1.1 signature: SigV4, service ebs, region of the host',
        'a session token that was not asked for',
      ),
      request({
        credentials: { accessKeyId: 'local', secretAccessKey: 'local-secret', sessionToken: 'x' },
      }),
      'UnrecognizedClientException',
    ],
    [
      row('1.1 signature: SigV4, service ebs, region of the host', 'old'),
      request({ signingDate: new Date(Date.now() - 301_000) }),
      'InvalidSignatureException',
    ],
    [
      row('1.1 signature: SigV4, service ebs, region of the host', 'of the future'),
      request({ signingDate: new Date(Date.now() + 310_000) }),
      'InvalidSignatureException',
    ],
    [
      row('1.1 signature: SigV4, service ebs, region of the host', 'another service'),
      request({ service: 'kms' }),
      'InvalidSignatureException',
    ],
    [
      row('1.1 signature: SigV4, service ebs, region of the host', 'a changed signed header'),
      request({ tamper: (headers) => (headers['x-amz-date'] = '20200101T000000Z') }),
      'InvalidSignatureException',
    ],
    [
      row('1.1 signature: SigV4, service ebs, region of the host', 'no Authorization'),
      request({ tamper: (headers) => delete headers.authorization }),
      'MissingAuthenticationTokenException',
    ],
  ])('%s', async (_, sent, type) => {
    const answer = await service.send(sent);
    expect(errorOf(answer)).toMatchObject({ status: 403, type, family: 'framework' });
  });

  test(
    row('1.1 signature: SigV4, service ebs, region of the host', 'up to five minutes off is good'),
    async () => {
      for (const offMs of [-290_000, 290_000]) {
        const signingDate = new Date(Date.now() + offMs);
        expect((await service.send(request({ signingDate }))).status).toBe(200);
      }
    },
  );

  test(row('1.1 signature: SigV4, service ebs, region of the host', 'malformed'), async () => {
    const answer = await service.send(
      request({ tamper: (headers) => (headers.authorization = 'AWS4-HMAC-SHA256 nonsense') }),
    );
    expect(errorOf(answer)).toMatchObject({ status: 400, type: 'IncompleteSignatureException' });
  });

  test(
    row('1.1 other operations: normal payload hash', 'a payload that is not the one signed'),
    async () => {
      const id = await service.newSnapshot();
      const answer = await service.put({
        snapshotId: id,
        index: 0,
        headers: { 'x-amz-content-sha256': 'a'.repeat(64) },
      });
      expect(errorOf(answer)).toMatchObject({ status: 403, type: 'InvalidSignatureException' });
    },
  );

  test(row('1.1 without x-amz-content-sha256 the body is hashed'), async () => {
    expect((await service.start({}, { applyChecksum: false })).status).toBe(201);
    const changed = await service.start(
      {},
      { applyChecksum: false, otherBody: '{"VolumeSize":2}' },
    );
    expect(errorOf(changed)).toMatchObject({ status: 403, type: 'InvalidSignatureException' });
  });

  test(
    row(
      '1.1 signature: SigV4, service ebs, region of the host',
      'a server with a region and a session token',
    ),
    async () => {
      const body = { VolumeSize: 1 };
      expect((await regional.start(body)).status).toBe(201);
      const wrongRegion = await regional.start(body, { region: 'us-east-1' });
      expect(errorOf(wrongRegion)).toMatchObject({ type: 'InvalidSignatureException' });
      const noToken = await regional.start(body, {
        credentials: { accessKeyId: 'AK', secretAccessKey: 'SK' },
      });
      expect(errorOf(noToken)).toMatchObject({ type: 'UnrecognizedClientException' });
    },
  );

  test(row('1.1 query values are encoded'), async () => {
    const answer = await service.list(stored, { pageToken: 'a+b/c==' });
    expect(answer.json.Reason).toBe('INVALID_PAGE_TOKEN');
  });
});

describe('garbage on the wire', () => {
  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['a bad length', 'PUT /snapshots HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n'],
    ['two lengths', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    [
      'bad chunks',
      'POST /snapshots HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ],
    ['huge headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001'],
  ])('%s is answered or dropped, and the service lives on', async (_, bytes) => {
    const text = await converse(bytes);
    expect(text === '' || /^HTTP\/1\.1 4\d\d /.test(text)).toBe(true);
    expect((await service.send(request({}))).status).toBe(200);
  });

  test('a body of many megabytes is refused without being kept', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const answer = await service.put({
      snapshotId: await service.newSnapshot(),
      index: 0,
      data: Buffer.alloc(8 * 1_048_576),
    });
    expect(answer.status).toBe(400);
    expect(answer.json.Reason).toBe('INVALID_BLOCK');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(48 * 1_048_576);
    const small = await service.start({}, { body: Buffer.alloc(1_048_576, 0x20) });
    expect(small.status).toBe(413);
  });
});

describe('the witness', () => {
  test('tells the same in the process and over HTTP', async () => {
    const fresh = await service.newSnapshot();
    await service.put({ snapshotId: fresh, index: 3, data: block(9) });
    const record = service.ebs.history().at(-1);
    expect(record).toMatchObject({
      operation: 'PutSnapshotBlock',
      snapshotId: fresh,
      blockIndex: 3,
      status: 201,
      concurrency: 1,
    });
    const { text } = await service.sendRaw({ method: 'GET', path: '/_local/requests' });
    expect(JSON.parse(String(text.trim().split('\n').at(-1)))).toEqual(record);
    const counters = await service.sendRaw({ method: 'GET', path: '/_local/counters' });
    expect(counters.json).toEqual(service.ebs.counters());
    const other = await service.sendRaw({ method: 'GET', path: '/_local/other' });
    expect(other.status).toBe(404);
  });
});

function request(
  fields: Partial<Parameters<typeof service.send>[0]>,
): Parameters<typeof service.send>[0] {
  return { method: 'GET', path: `/snapshots/${stored}/blocks`, ...fields };
}

/** Sends bytes and returns all that comes back until the server closes. */
function converse(bytes: string): Promise<string> {
  const { hostname, port } = new URL(service.ebs.endpoint);
  return new Promise((resolve) => {
    const socket = createConnection(Number(port), hostname, () => {
      socket.end(bytes, 'latin1');
    });
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
  });
}
