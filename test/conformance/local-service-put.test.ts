import { request as httpRequest } from 'node:http';
import { describe, expect, test } from 'vitest';
import {
  block,
  BLOCK_SIZE,
  constraint,
  digestOf,
  errorOf,
  missing,
  ServiceUnderTest,
  validation,
  type ExpectedError,
  type PutSpec,
} from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const impatient = await ServiceUnderTest.start({ idleTimeoutMs: 50 });
const open = await service.newSnapshot();

const tooShort = validation('INVALID_PARAMETER_VALUE', 'Failed to read block data');

describe('section 3: accepted', () => {
  test('answers 201 with {} and echoes the digest in the headers of the model', async () => {
    const answer = await service.put({ snapshotId: open, index: 0 });
    expect(answer.status).toBe(201);
    expect(answer.text).toBe('{}');
    expect(answer.headers['content-length']).toBe('2');
    expect(answer.headers['x-amz-checksum']).toBe(digestOf(block(1)));
    expect(answer.headers['x-amz-checksum-algorithm']).toBe('SHA256');
    expect(answer.headerNames).toEqual(
      expect.arrayContaining(['x-amz-Checksum', 'x-amz-Checksum-Algorithm', 'x-amzn-RequestId']),
    );
  });

  test('section 14: the digest of a zero block', async () => {
    const { headers } = await service.put({ snapshotId: open, index: 1, data: block(0) });
    expect(headers['x-amz-checksum']).toBe('B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=');
  });

  test.each<[string, Partial<PutSpec>]>([
    ['the last block of the volume', { index: 2047 }],
    ['a signed payload', { headers: { 'x-amz-content-sha256': '' } }],
    ['Progress', { headers: { 'x-amz-progress': '100' } }],
    [
      'checksum headers that are not signed',
      {
        request: {
          tamper: (headers) => {
            headers['x-amz-progress'] = '50';
          },
        },
      },
    ],
  ])('%s', async (_, spec) => {
    const answer = await service.put({ snapshotId: open, index: 2, ...spec });
    expect(answer.status, answer.text).toBe(201);
  });

  test('of several writes of one block the last one wins, and it counts once', async () => {
    const id = await service.newSnapshot();
    for (const byte of [1, 2, 2, 0, 3]) {
      const { status } = await service.put({ snapshotId: id, index: 9, data: block(byte) });
      expect(status).toBe(201);
    }
    await service.complete(id, { count: 1 });
    const tokens = await service.tokens(id);
    expect((await service.get(id, 9, tokens.get(9))).body.equals(block(3))).toBe(true);
  });

  test('a body sent in chunks of unknown length', async () => {
    const answer = await service.put({
      snapshotId: open,
      index: 3,
      request: {
        tamper: (headers) => {
          headers['transfer-encoding'] = 'chunked';
          delete headers['content-length'];
        },
      },
    });
    expect(answer.status, answer.text).toBe(201);
  });
});

describe('section 3: refused', () => {
  const rows: [string, Partial<PutSpec>, ExpectedError][] = [
    [
      'a negative index',
      { index: -1 },
      constraint(
        "Value '-1' at 'blockIndex' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ),
    ],
    [
      'an index past the end',
      { index: 2048 },
      validation('INVALID_BLOCK', 'Block index 2048 is beyond the volume size extent'),
    ],
    [
      'no Data-Length',
      { headers: { 'x-amz-data-length': '' } },
      constraint(
        "Value null at 'dataLength' failed to satisfy constraint: Member must not be null",
      ),
    ],
    [
      'no Checksum',
      { headers: { 'x-amz-checksum': '' } },
      constraint("Value null at 'checksum' failed to satisfy constraint: Member must not be null"),
    ],
    [
      'a Checksum outside the alphabet',
      { headers: { 'x-amz-checksum': 'a*b' } },
      constraint(
        "Value 'a*b' at 'checksum' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Za-z0-9+/=]+$",
      ),
    ],
    [
      'another algorithm',
      { headers: { 'x-amz-checksum-algorithm': 'SHA1' } },
      validation(
        'INVALID_PARAMETER_VALUE',
        "Unsupported Checksum Algorithm 'SHA1', supported algorithms are SHA256",
      ),
    ],
    [
      'Progress -1',
      { headers: { 'x-amz-progress': '-1' } },
      constraint(
        "Value '-1' at 'progress' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ),
    ],
    [
      'Progress 101',
      { headers: { 'x-amz-progress': '101' } },
      constraint(
        "Value '101' at 'progress' failed to satisfy constraint: Member must have value less than or equal to 100",
      ),
    ],
    ['a short body that admits it', { data: Buffer.from('12345') }, tooShort],
    [
      'a short body that claims a block',
      { data: Buffer.from('12345'), headers: { 'x-amz-data-length': '524288' } },
      tooShort,
    ],
    ['an empty body', { data: Buffer.alloc(0) }, tooShort],
    [
      'a whole body with Data-Length 1',
      { headers: { 'x-amz-data-length': '1' } },
      validation('INVALID_BLOCK', 'Block data length 1 is not valid, expected 524288'),
    ],
    [
      'a longer body',
      { data: Buffer.alloc(BLOCK_SIZE + 1) },
      validation('INVALID_BLOCK', /longer/),
    ],
    [
      'a digest of other bytes',
      { headers: { 'x-amz-checksum': digestOf(block(2)) } },
      {
        status: 403,
        type: 'InvalidSignatureException',
        family: 'framework',
        message:
          'The value passed in as x-amz-Checksum does not match the computed checksum. Computed checksum: ' +
          `${digestOf(block(1))} expected checksum: ${digestOf(block(2))}`,
      },
    ],
  ];

  test.each(rows)('%s', async (_, spec, expected) => {
    const answer = await service.put({ snapshotId: open, index: 4, ...spec });
    const { message } = expected;
    expect(errorOf(answer)).toEqual({
      ...expected,
      message: message instanceof RegExp ? (expect.stringMatching(message) as string) : message,
    });
    expect(answer.headers.connection === 'close').toBe(answer.status === 400);
  });

  test('nothing of a refused Put is stored', async () => {
    const id = await service.newSnapshot();
    await service.put({
      snapshotId: id,
      index: 0,
      headers: { 'x-amz-checksum': digestOf(block(2)) },
    });
    await service.complete(id, { count: 0 });
    expect(await service.stateOf(id)).toBe('completed');
  });

  test('an unknown snapshot', async () => {
    const unknown = 'snap-0fedcba9876543210';
    expect(errorOf(await service.put({ snapshotId: unknown, index: 0 }))).toEqual(missing(unknown));
  });

  test('a snapshot of another region', async () => {
    const answer = await service.put({
      snapshotId: open,
      index: 0,
      request: { region: 'eu-west-1' },
    });
    expect(errorOf(answer)).toEqual(missing(open));
  });

  test('a snapshot that was completed, at once', async () => {
    const id = await service.newSnapshot();
    await service.complete(id, { count: 0 });
    expect(errorOf(await service.put({ snapshotId: id, index: 0 }))).toEqual(
      validation('INVALID_SNAPSHOT_ID', 'Snapshot is already completed'),
    );
  });

  test('a snapshot in error', async () => {
    const id = await service.newSnapshot();
    await service.complete(id, { count: 1 });
    expect(errorOf(await service.put({ snapshotId: id, index: 0 }))).toEqual(missing(id));
  });
});

describe('section 3: trouble on the way', () => {
  test('a body cut by the client is not stored and does not hurt the service', async () => {
    const id = await service.newSnapshot();
    const { hostname, port } = new URL(service.ebs.endpoint);
    await new Promise<void>((resolve) => {
      const request = httpRequest({
        hostname,
        port,
        method: 'PUT',
        path: `/snapshots/${id}/blocks/0`,
        headers: { 'content-length': BLOCK_SIZE },
      });
      request.on('error', () => resolve());
      request.write(Buffer.alloc(1000), () => request.destroy());
      request.on('close', resolve);
    });
    await expect
      .poll(() => service.ebs.history().at(-1))
      .toMatchObject({ operation: 'PutSnapshotBlock', snapshotId: id, status: 0 });
    expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(201);
  });

  test('a client that stops in the middle is told so after the idle time', async () => {
    const snapshotId = await impatient.newSnapshot();
    const answer = await impatient.put({
      snapshotId,
      index: 0,
      data: Buffer.from('abc'),
      request: { tamper: (headers) => (headers['content-length'] = String(BLOCK_SIZE)) },
    });
    expect(errorOf(answer)).toEqual(tooShort);
    expect(answer.headers.connection).toBe('close');
  });
});
