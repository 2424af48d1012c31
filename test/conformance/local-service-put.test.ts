import { readdir, readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseBlockHasher } from '../../src/local-server/block-hasher.ts';
import { HashedBytes } from '../../src/local-server/hashed-bytes.ts';
import { SnapshotStore, type PutBlock } from '../../src/local-server/snapshot-store.ts';
import { recordOf } from '../support/snapshot-record.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { row } from './contract-rows.ts';
import {
  block,
  BLOCK_SIZE,
  constraint,
  digestOf,
  errorOf,
  linearOf,
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
  test(row('3 response', '201, {} and the digest in the headers of the model'), async () => {
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

  test(row('14 SHA-256 of one zero block'), async () => {
    const { headers } = await service.put({ snapshotId: open, index: 1, data: block(0) });
    expect(headers['x-amz-checksum']).toBe('B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=');
  });

  test.each<[string, Partial<PutSpec>]>([
    [row('3 any order, gaps, last block of the volume', 'the last'), { index: 2047 }],
    [row('3 signed payload'), { headers: { 'x-amz-content-sha256': '' } }],
    [row('3 Progress', '100'), { headers: { 'x-amz-progress': '100' } }],
    [
      row('1.1 SignedHeaders are honoured', 'a header beside them'),
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

  test(row('3 other bytes at the same index', 'the last one wins and counts once'), async () => {
    const id = await service.newSnapshot();
    for (const byte of [1, 2, 2, 0, 3]) {
      const { status } = await service.put({ snapshotId: id, index: 9, data: block(byte) });
      expect(status).toBe(201);
    }
    await service.complete(id, { count: 1 });
    const tokens = await service.tokens(id);
    expect((await service.get(id, 9, tokens.get(9))).body.equals(block(3))).toBe(true);
  });

  test(row('3 Transfer-Encoding: chunked'), async () => {
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
      row('3 BlockIndex', 'negative'),
      { index: -1 },
      constraint(
        "Value '-1' at 'blockIndex' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ),
    ],
    [
      row('3 index past the end'),
      { index: 2048 },
      validation('INVALID_BLOCK', 'Block index 2048 is beyond the volume size extent'),
    ],
    [
      row('3 DataLength', 'missing'),
      { headers: { 'x-amz-data-length': '' } },
      constraint(
        "Value null at 'dataLength' failed to satisfy constraint: Member must not be null",
      ),
    ],
    [
      row('3 Checksum', 'missing'),
      { headers: { 'x-amz-checksum': '' } },
      constraint("Value null at 'checksum' failed to satisfy constraint: Member must not be null"),
    ],
    [
      row('3 digest outside the base64 alphabet'),
      { headers: { 'x-amz-checksum': 'a*b' } },
      constraint(
        "Value 'a*b' at 'checksum' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Za-z0-9+/=]+$",
      ),
    ],
    [
      row('3 algorithm not SHA256'),
      { headers: { 'x-amz-checksum-algorithm': 'SHA1' } },
      validation(
        'INVALID_PARAMETER_VALUE',
        "Unsupported Checksum Algorithm 'SHA1', supported algorithms are SHA256",
      ),
    ],
    [
      row('3 Progress -1 or 101', '-1'),
      { headers: { 'x-amz-progress': '-1' } },
      constraint(
        "Value '-1' at 'progress' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ),
    ],
    [
      row('3 Progress -1 or 101', '101'),
      { headers: { 'x-amz-progress': '101' } },
      constraint(
        "Value '101' at 'progress' failed to satisfy constraint: Member must have value less than or equal to 100",
      ),
    ],
    [row('3 body shorter than a block', 'honest'), { data: Buffer.from('12345') }, tooShort],
    [
      row('3 body shorter than a block', 'lying'),
      { data: Buffer.from('12345'), headers: { 'x-amz-data-length': '524288' } },
      tooShort,
    ],
    [row('3 body shorter than a block', 'empty'), { data: Buffer.alloc(0) }, tooShort],
    [
      row('3 full body, DataLength 1'),
      { headers: { 'x-amz-data-length': '1' } },
      validation('INVALID_BLOCK', 'Block data length 1 is not valid, expected 524288'),
    ],
    [
      row('3 body longer than a block'),
      { data: Buffer.alloc(BLOCK_SIZE + 1) },
      validation('INVALID_BLOCK', /longer/),
    ],
    [
      row('3 digest not of the body'),
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

  test(row('3 digest not of the body', 'nothing is stored'), async () => {
    const id = await service.newSnapshot();
    await service.put({
      snapshotId: id,
      index: 0,
      headers: { 'x-amz-checksum': digestOf(block(2)) },
    });
    await service.complete(id, { count: 0 });
    expect(await service.stateOf(id)).toBe('completed');
  });

  test(row('3 snapshot in error, deleted, unknown', 'unknown'), async () => {
    const unknown = 'snap-0fedcba9876543210';
    expect(errorOf(await service.put({ snapshotId: unknown, index: 0 }))).toEqual(missing(unknown));
  });

  test(row('7.5 ids are per region', 'Put'), async () => {
    const answer = await service.put({
      snapshotId: open,
      index: 0,
      request: { region: 'eu-west-1' },
    });
    expect(errorOf(answer)).toEqual(missing(open));
  });

  test(row('3 after CompleteSnapshot was accepted', 'at once'), async () => {
    const id = await service.newSnapshot();
    await service.complete(id, { count: 0 });
    expect(errorOf(await service.put({ snapshotId: id, index: 0 }))).toEqual(
      validation('INVALID_SNAPSHOT_ID', 'Snapshot is already completed'),
    );
  });

  test(row('3 snapshot in error, deleted, unknown', 'in error'), async () => {
    const id = await service.newSnapshot();
    await service.complete(id, { count: 1 });
    expect(errorOf(await service.put({ snapshotId: id, index: 0 }))).toEqual(missing(id));
  });
});

describe('section 3: members and circumstances', () => {
  test.each<[string, Partial<PutSpec>, ExpectedError]>([
    [
      row('3 SnapshotId', 'upper-case digits'),
      { snapshotId: 'snap-0ABC' },
      constraint(
        "Value 'snap-0ABC' at 'snapshotId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^snap-[0-9a-f]+$",
      ),
    ],
    [
      row('3 SnapshotId', 'of 65'),
      { snapshotId: `snap-${'0'.repeat(60)}` },
      constraint(
        `Value 'snap-${'0'.repeat(60)}' at 'snapshotId' failed to satisfy constraint: Member must have length less than or equal to 64`,
      ),
    ],
    [
      row('3 Checksum', 'of 65'),
      { headers: { 'x-amz-checksum': 'a'.repeat(65) } },
      constraint(
        `Value '${'a'.repeat(65)}' at 'checksum' failed to satisfy constraint: Member must have length less than or equal to 64`,
      ),
    ],
    [
      row('15 missing members of Put', 'the algorithm'),
      { headers: { 'x-amz-checksum-algorithm': '' } },
      constraint(
        "Value null at 'checksumAlgorithm' failed to satisfy constraint: Member must not be null",
      ),
    ],
    [
      row('3 ChecksumAlgorithm', 'in lower case'),
      { headers: { 'x-amz-checksum-algorithm': 'sha256' } },
      validation(
        'INVALID_PARAMETER_VALUE',
        "Unsupported Checksum Algorithm 'sha256', supported algorithms are SHA256",
      ),
    ],
    [
      row('3 BlockData', 'one byte short'),
      { data: Buffer.alloc(BLOCK_SIZE - 1) },
      validation('INVALID_PARAMETER_VALUE', 'Failed to read block data'),
    ],
    [
      row('3 DataLength', 'one byte more than a block'),
      { headers: { 'x-amz-data-length': '524289' } },
      validation('INVALID_BLOCK', 'Block data length 524289 is not valid, expected 524288'),
    ],
    [
      row('3 Content-Encoding must not be used'),
      { headers: { 'content-encoding': 'gzip' } },
      validation('INVALID_CONTENT_ENCODING', /gzip/),
    ],
  ])('%s', async (_, spec, expected) => {
    const { message } = expected;
    expect(errorOf(await service.put({ snapshotId: open, index: 4, ...spec }))).toEqual({
      ...expected,
      message: message instanceof RegExp ? (expect.stringMatching(message) as string) : message,
    });
  });

  test.each(['x', '1.5', ''])(row('3 BlockIndex', 'that is no integer: "%s"'), async (index) => {
    const answer = await service.put({ snapshotId: open, index });
    expect(errorOf(answer)).toMatchObject({ status: 400, type: 'SerializationException' });
  });

  test(row('3 same bytes again', '201 each time, and it counts once'), async () => {
    const id = await service.newSnapshot();
    for (let n = 0; n < 3; n += 1) {
      expect((await service.put({ snapshotId: id, index: 5 })).status).toBe(201);
    }
    await service.complete(id, { count: 1, ...aggregate(block(1)) });
    expect(await service.stateOf(id)).toBe('completed');
  });

  test(row('3 any order, gaps, last block of the volume', 'listed in order'), async () => {
    const id = await service.newSnapshot({ VolumeSize: 65_536 });
    const last = 65_536 * 2048 - 1;
    for (const index of [last, 4, 1_000_000, 0]) {
      expect((await service.put({ snapshotId: id, index, data: block(0) })).status).toBe(201);
    }
    expect((await service.put({ snapshotId: id, index: last + 1 })).status).toBe(400);
    await service.complete(id, { count: 4 });
    expect([...(await service.tokens(id)).keys()]).toEqual([0, 4, 1_000_000, last]);
  });

  test(row('3 all-zero block', 'counted, aggregated and listed like any other'), async () => {
    const id = await service.newSnapshot();
    await service.put({ snapshotId: id, index: 3, data: block(0) });
    await service.complete(id, { count: 1, ...aggregate(block(0)) });
    expect([...(await service.tokens(id)).keys()]).toEqual([3]);
  });

  test(row('14 SHA-256 of one block of FF'), async () => {
    const { headers } = await service.put({ snapshotId: open, index: 6, data: block(0xff) });
    expect(headers['x-amz-checksum']).toBe('BD4jinZffPvGJZalDlPI/7axiKmTV7Dr7eJRcl1nWJ8=');
  });

  test(row('3 snapshot in error, deleted, unknown', 'deleted'), async () => {
    const id = await service.newSnapshot();
    await service.ec2('DeleteSnapshot', { SnapshotId: id });
    expect(errorOf(await service.put({ snapshotId: id, index: 0 }))).toEqual(missing(id));
  });

  test(row('3 two Puts of one index in flight', 'one at a time is taken'), async () => {
    const store = await SnapshotStore.open(await temporaryFolder());
    await store.create(recordOf('snap-0123456789abcdef1', { volumeSizeGiB: 1 }));
    const snapshot = store.find('snap-0123456789abcdef1', 'us-east-1');
    if (snapshot === undefined) throw new Error('not found');
    const put = (byte: number, expected = byte): Promise<string> =>
      store.putBlock(snapshot, putOf(byte, expected), 0);
    expect(await Promise.all([put(1), put(2), put(2, 3)])).toEqual([
      'stored',
      'conflict',
      'mismatch',
    ]);
    expect(await put(2)).toBe('stored');
    await store.close();
  });

  test.each([
    ['a block where there was none', 0, 2],
    ['another block, whose expected bytes are new', 1, 2],
    ['another block, whose expected bytes are there', 1, 1],
    ['another block than zeros', 1, 0],
  ])('of a mismatch nothing is kept: %s', async (_, before, expected) => {
    const directory = await temporaryFolder();
    const store = await SnapshotStore.open(directory);
    const id = 'snap-0123456789abcdef1';
    await store.create(recordOf(id));
    const snapshot = store.find(id, 'us-east-1');
    if (snapshot === undefined) throw new Error('not found');
    if (before > 0) expect(await store.putBlock(snapshot, putOf(before), 0)).toBe('stored');
    expect(await store.putBlock(snapshot, putOf(9, expected), 0)).toBe('mismatch');
    const located = store.locate(id, 0);
    expect(located?.digest).toEqual(before > 0 ? digestBytes(before) : undefined);
    const contents = await volumeContents(directory);
    expect(contents.every((bytes) => !bytes.includes(9))).toBe(true);
    await store.close();
  });

  test(row('3 two Puts of one index in flight', 'each is stored whole or refused'), async () => {
    const id = await service.newSnapshot();
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((byte) =>
        service.put({ snapshotId: id, index: 0, data: block(byte) }),
      ),
    );
    for (const answer of answers) {
      if (answer.status === 201) continue;
      expect(errorOf(answer)).toMatchObject({ status: 400, reason: 'CONFLICTING_BLOCK_UPDATE' });
    }
    await service.complete(id, { count: 1 });
    const { body } = await service.get(id, 0, (await service.tokens(id)).get(0));
    const stored = answers.flatMap(({ status }, i) => (status === 201 ? [block(i + 1)] : []));
    expect(stored.some((data) => data.equals(body))).toBe(true);
  });

  test(row('3 Expect: 100-continue', 'answered before the body is sent'), async () => {
    const { hostname, port } = new URL(service.ebs.endpoint);
    let headers: Record<string, string> = {};
    const path = `/snapshots/${open}/blocks/7`;
    await service.put({
      snapshotId: open,
      index: 7,
      request: { tamper: (signed) => (headers = { ...signed }) },
    });
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest({
        hostname,
        port,
        path,
        method: 'PUT',
        headers: { ...headers, expect: '100-continue' },
      });
      request.on('continue', () => request.end(block(1)));
      request.on('response', (response) => resolve(response.resume().statusCode));
      request.on('error', reject);
      request.flushHeaders();
    });
    expect(status).toBe(201);
  });
});

describe('section 3: trouble on the way', () => {
  test(row('3 body arrives too slowly or is cut', 'cut'), async () => {
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

  test(row('3 body arrives too slowly or is cut', 'too slow'), async () => {
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

  test(row('3 body arrives too slowly or is cut', 'of a body that was signed'), async () => {
    const answer = await impatient.put({
      snapshotId: await impatient.newSnapshot(),
      index: 0,
      data: block(1).subarray(0, 1000),
      headers: { 'x-amz-content-sha256': digestBytes(1).toString('hex') },
      request: { tamper: (headers) => (headers['content-length'] = String(BLOCK_SIZE)) },
    });
    expect(errorOf(answer)).toEqual(tooShort);
  });
});

/** The three checksum members of CompleteSnapshot for `blocks` in index order. */
function aggregate(...blocks: readonly Buffer[]): Parameters<typeof service.complete>[1] {
  return { checksum: linearOf(...blocks), algorithm: 'SHA256', method: 'LINEAR' };
}

/** A block of one byte again and again, and the digest that it ought to have. */
function putOf(byte: number, expected = byte): PutBlock {
  const content = new HashedBytes(block(byte), chooseBlockHasher());
  return { index: 0, content, expectedDigest: digestBytes(expected) };
}

async function volumeContents(directory: string): Promise<Buffer[]> {
  const folder = join(directory, 'volumes');
  return Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))));
}

function digestBytes(byte: number): Buffer {
  return Buffer.from(digestOf(block(byte)), 'base64');
}
