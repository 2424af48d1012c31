import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import {
  block,
  digestOf,
  errorOf,
  NodeSha256,
  ServiceUnderTest,
  type RawAnswer,
} from './local-service-client.ts';

/** Section 1.1: how requests may be signed, beside what the wire suite refuses. */
const service = await ServiceUnderTest.start();
const guarded = await ServiceUnderTest.start({
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AK', secretAccessKey: 'SK', sessionToken: 'ST' },
});
const open = await service.newSnapshot();
const stored = await service.stored({ 0: 1 });
const token = (await service.tokens(stored)).get(0) ?? '';
const PAYLOAD = digestOf(block(1));

describe('the form of the Python SDK: no x-amz-content-sha256 but on Put, names as in the model', () => {
  const python = { applyChecksum: false };
  test.each<[string, () => Promise<RawAnswer>, number]>([
    [
      row('1.1 without x-amz-content-sha256 the body is hashed', 'Start'),
      () => service.start({}, python),
      201,
    ],
    [
      row('1.1 unsigned payload on Put', 'the literal, signed'),
      () =>
        service.send({
          method: 'PUT',
          path: `/snapshots/${open}/blocks/0`,
          headers: {
            'X-Amz-Content-SHA256': 'UNSIGNED-PAYLOAD',
            'x-amz-Data-Length': '524288',
            'x-amz-Checksum': PAYLOAD,
            'x-amz-Checksum-Algorithm': 'SHA256',
          },
          body: block(1),
          ...python,
        }),
      201,
    ],
    [
      row('1.1 without x-amz-content-sha256 the body is hashed', 'List, an empty body'),
      () => service.send({ method: 'GET', path: `/snapshots/${stored}/blocks`, ...python }),
      200,
    ],
    [
      row('1.1 without x-amz-content-sha256 the body is hashed', 'Get, a token in the query'),
      () =>
        service.send({
          method: 'GET',
          path: `/snapshots/${stored}/blocks/0`,
          query: { blockToken: token },
          ...python,
        }),
      200,
    ],
    [
      row('1.1 without x-amz-content-sha256 the body is hashed', 'Complete'),
      () =>
        service.send({
          method: 'POST',
          path: `/snapshots/completion/${stored}`,
          headers: { 'x-amz-ChangedBlocksCount': '1' },
          ...python,
        }),
      202,
    ],
  ])('%s', async (_, send, status) => {
    const answer = await send();
    expect(answer.status, answer.text).toBe(status);
  });
});

describe('what the signature covers', () => {
  test.each(['x-amz-checksum', 'x-amz-checksum-algorithm', 'x-amz-data-length'])(
    row('1.1 which headers must be signed', '%s left out is accepted'),
    async (name) => {
      const value = { 'x-amz-checksum': PAYLOAD, 'x-amz-data-length': '524288' }[name] ?? 'SHA256';
      const answer = await service.put({
        snapshotId: open,
        index: 1,
        headers: { [name]: '' },
        request: { tamper: (headers) => (headers[name] = value) },
      });
      expect(answer.status, answer.text).toBe(201);
    },
  );

  test.each<[string, (headers: Record<string, string>) => unknown]>([
    ['changed', (headers) => (headers['x-amz-checksum'] = digestOf(block(2)))],
    ['taken out', (headers) => delete headers['x-amz-checksum']],
    ['of another payload', (headers) => (headers['x-amz-content-sha256'] = 'UNSIGNED')],
    [
      'in another order',
      (headers) => {
        headers.authorization = (headers.authorization ?? '').replace(
          /SignedHeaders=([^;]+);([^,]+)/,
          'SignedHeaders=$2;$1',
        );
      },
    ],
    [
      'without host',
      (headers) => {
        headers.authorization = (headers.authorization ?? '').replace('host;', '');
      },
    ],
  ])(row('1.1 SignedHeaders are honoured', 'a signed header %s'), async (_, tamper) => {
    const answer = await service.put({ snapshotId: open, index: 1, request: { tamper } });
    expect(errorOf(answer)).toMatchObject({
      status: 403,
      type: 'InvalidSignatureException',
      family: 'framework',
    });
  });

  test(row('1.1 SignedHeaders are honoured', 'spaces around and inside a value'), async () => {
    const answer = await service.put({
      snapshotId: open,
      index: 1,
      headers: { 'x-amz-meta': 'a b' },
      request: { tamper: (headers) => (headers['x-amz-meta'] = '  a   b ') },
    });
    expect(answer.status, answer.text).toBe(201);
  });

  test(
    row('1.1 unsigned payload on Put', 'the body itself is judged by its checksum'),
    async () => {
      const answer = await service.put({
        snapshotId: open,
        index: 1,
        request: { otherBody: block(2) },
      });
      expect(errorOf(answer).message).toMatch(/^The value passed in as x-amz-Checksum/);
    },
  );

  test(row('1.1 other operations: normal payload hash', 'of an empty body'), async () => {
    const sent: Record<string, string>[] = [];
    const tamper = (headers: Record<string, string>): unknown => sent.push({ ...headers });
    const path = `/snapshots/${stored}/blocks`;
    expect((await service.send({ method: 'GET', path, tamper })).status).toBe(200);
    expect(sent[0]?.['x-amz-content-sha256']).toMatch(/^e3b0c442.*b855$/);
  });
});

describe('query strings', () => {
  test.each(['a+b', 'a/b', 'a==', '+', '%2B', 'a b', 'ä', "!'()*", '~', '&=?#', '😀'])(
    row('1.1 query values are encoded', '%s'),
    async (pageToken) => {
      const { status } = await service.list(stored, { pageToken, maxResults: '100' });
      expect(status).toBe(400);
    },
  );

  test.each([
    ['upper and lower case', 'maxResults=100&pageToken=a%2bb%2F'],
    ['another order', 'pageToken=a%2Bb%2F&maxResults=100'],
    ['more than is needed', '%6DaxResults=10%30&pageToken=%61%2Bb%2F'],
    ['an empty pair', '&maxResults=100&&pageToken=a%2Bb%2F&'],
  ])(row('1.1 query values are encoded', 'spelt otherwise, %s'), async (_, query) => {
    let headers: Record<string, string> = {};
    const path = `/snapshots/${stored}/blocks`;
    await service.send({
      method: 'GET',
      path,
      query: { maxResults: '100', pageToken: 'a+b/' },
      tamper: (signed) => (headers = { ...signed }),
    });
    const answer = await service.sendRaw({ method: 'GET', path: `${path}?${query}`, headers });
    expect(errorOf(answer).message).toBe('The pagination token a+b/ is invalid.');
  });
});

describe('who, where and when', () => {
  const credentials = { accessKeyId: 'AK', secretAccessKey: 'SK', sessionToken: 'ST' };

  test.each<[string, Parameters<typeof guarded.start>[1], number, string | undefined]>([
    ['the session token', {}, 201, undefined],
    [
      'another session token',
      { credentials: { ...credentials, sessionToken: 'other' } },
      403,
      'UnrecognizedClientException',
    ],
    [
      'a session token added after signing',
      {
        credentials: { accessKeyId: 'AK', secretAccessKey: 'SK' },
        tamper: (headers) => (headers['x-amz-security-token'] = 'ST'),
      },
      201,
      undefined,
    ],
    ['another region', { region: 'eu-central-2' }, 403, 'InvalidSignatureException'],
    ['another service', { service: 'kms' }, 403, 'InvalidSignatureException'],
    [
      'the region changed after signing',
      {
        region: 'eu-central-2',
        tamper: (headers) => {
          headers.authorization = (headers.authorization ?? '').replace('-central-2', '-central-1');
        },
      },
      403,
      'InvalidSignatureException',
    ],
    [
      'a date in the scope that is not the one of the request',
      {
        tamper: (headers) => {
          headers.authorization = (headers.authorization ?? '').replace(/\/\d{8}\//, '/20200101/');
        },
      },
      403,
      'InvalidSignatureException',
    ],
  ])(
    row('1.1 signature: SigV4, service ebs, region of the host', '%s'),
    async (_, request, status, type) => {
      const answer = await guarded.start({}, { credentials, ...request });
      expect(answer.status, answer.text).toBe(status);
      if (type !== undefined) expect(errorOf(answer)).toMatchObject({ type, family: 'framework' });
    },
  );

  test.each([
    ['past', -301_000, /^Signature expired: \d{8}T\d{6}Z is now earlier than .* - 5 min\.\)$/],
    ['future', 310_000, /^Signature not yet current: .* is still later than .* \+ 5 min\.\)$/],
  ])(
    row(
      '1.1 signature: SigV4, service ebs, region of the host',
      'skew into the %s, in the words that clients look for',
    ),
    async (_, off, text) => {
      const signingDate = new Date(Date.now() + off);
      expect(errorOf(await service.start({}, { signingDate })).message).toMatch(text);
    },
  );

  test(
    row(
      '1.1 signature: SigV4, service ebs, region of the host',
      'in the query: not taken, as if unsigned',
    ),
    async () => {
      const signer = new SignatureV4({
        service: 'ebs',
        region: service.ebs.region,
        credentials: { ...service.ebs.credentials },
        sha256: NodeSha256,
      });
      const { host, hostname, port } = new URL(service.ebs.endpoint);
      const presigned = await signer.presign({
        method: 'GET',
        protocol: 'http:',
        hostname,
        port: Number(port),
        path: `/snapshots/${stored}/blocks`,
        query: {},
        headers: { host },
      });
      const query = new URLSearchParams(presigned.query as Record<string, string>).toString();
      const answer = await service.sendRaw({ method: 'GET', path: `${presigned.path}?${query}` });
      expect(errorOf(answer)).toEqual({
        status: 403,
        type: 'MissingAuthenticationTokenException',
        family: 'framework',
        message: 'Missing Authentication Token',
      });
    },
  );
});
