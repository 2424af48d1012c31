import { describe, expect, test } from 'vitest';
import {
  block,
  constraint,
  errorOf,
  linearOf,
  missing,
  ServiceUnderTest,
  validation,
  type ExpectedError,
} from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const ALL = { algorithm: 'SHA256', method: 'LINEAR' };

describe('section 4: accepted', () => {
  test('section 14: nothing put, count 0 and the digest of nothing', async () => {
    const id = await service.newSnapshot();
    const checksum = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
    const answer = await service.complete(id, { count: 0, checksum, ...ALL });
    expect([answer.status, answer.text]).toEqual([202, '{"Status":"pending"}']);
    expect(await service.stateOf(id)).toBe('completed');
  });

  test.each([
    ['one zero block', { 0: 0 }, '3QyamIjs9/uk1ge+ZPpwA6Yo7YmArJ8I121qDaF+DcI='],
    [
      'a zero block, then FF at a higher index',
      { 0: 0, 700: 0xff },
      'QuWhAEV7Qid0i9uuVwexaWSfKmFKH0P/+Oi8JqIj0tc=',
    ],
  ])('section 14: LINEAR over %s', async (_, contents, checksum) => {
    const id = await service.newSnapshot();
    for (const [index, byte] of Object.entries(contents).reverse()) {
      await service.put({ snapshotId: id, index, data: block(byte) });
    }
    const count = Object.keys(contents).length;
    await service.complete(id, { count, checksum, ...ALL });
    expect(await service.stateOf(id)).toBe('completed');
  });

  test('a child counts and aggregates what was put to it, blocks equal to the parent’s included', async () => {
    const parent = await service.stored({ 0: 1, 1: 2 });
    const child = await service.newSnapshot({ ParentSnapshotId: parent });
    await service.put({ snapshotId: child, index: 1, data: block(2) });
    await service.complete(child, { count: 1, checksum: linearOf(block(2)), ...ALL });
    expect(await service.stateOf(child)).toBe('completed');
  });

  test('a child that changes nothing completes with count 0', async () => {
    const child = await service.newSnapshot({ ParentSnapshotId: await service.stored({ 0: 1 }) });
    await service.complete(child, { count: 0 });
    expect(await service.stateOf(child)).toBe('completed');
  });

  test('asked again it tells the state and compares nothing', async () => {
    const good = await service.stored({ 0: 1 });
    expect((await service.complete(good, { count: 99 })).json).toEqual({ Status: 'completed' });
    const bad = await service.newSnapshot();
    await service.complete(bad, { count: 1 });
    const again = await service.complete(bad, { count: 0 });
    expect([again.status, again.json]).toEqual([202, { Status: 'error' }]);
  });
});

describe('section 4: figures that turn out wrong', () => {
  test('the count', async () => {
    const id = await service.newSnapshot();
    await service.put({ snapshotId: id, index: 0 });
    expect((await service.complete(id, { count: 2 })).status).toBe(202);
    expect(await service.stateOf(id)).toBe('error: Changed blocks count mismatch for snapshot');
  });

  test('the aggregate, here over base64 texts', async () => {
    const id = await service.newSnapshot();
    await service.put({ snapshotId: id, index: 0, data: block(0) });
    await service.put({ snapshotId: id, index: 1, data: block(0xff) });
    const checksum = 'cpMGD7vWxelkmfYQ7DSaD1U+G5QHAEEz4DHGwbREC1k=';
    expect((await service.complete(id, { count: 2, checksum, ...ALL })).status).toBe(202);
    expect(await service.stateOf(id)).toBe('error: Checksum mismatch for snapshot');
  });
});

describe('section 4: refused', () => {
  const checksum = linearOf();
  const combination = (what: string): ExpectedError =>
    validation('INVALID_PARAMETER_VALUE', `Invalid parameter combination. ${what} is missing.`);
  const rows: [string, Parameters<typeof service.complete>[1], ExpectedError][] = [
    [
      'no count',
      {},
      constraint(
        "Value null at 'changedBlocksCount' failed to satisfy constraint: Member must not be null",
      ),
    ],
    [
      'count -1',
      { count: -1 },
      constraint(
        "Value '-1' at 'changedBlocksCount' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ),
    ],
    [
      'another algorithm',
      { count: 0, checksum, algorithm: 'SHA1', method: 'LINEAR' },
      constraint(
        "Value 'SHA1' at 'checksumAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [SHA256]",
      ),
    ],
    [
      'another method',
      { count: 0, checksum, algorithm: 'SHA256', method: 'TREE' },
      constraint(
        "Value 'TREE' at 'checksumAggregationMethod' failed to satisfy constraint: Member must satisfy enum value set: [LINEAR]",
      ),
    ],
    ['the checksum alone', { count: 0, checksum }, combination('Checksum algorithm')],
    ['the algorithm alone', { count: 0, algorithm: 'SHA256' }, combination('Snapshot checksum')],
    ['the method alone', { count: 0, method: 'LINEAR' }, combination('Snapshot checksum')],
    [
      'no method',
      { count: 0, checksum, algorithm: 'SHA256' },
      combination('Checksum aggregation method'),
    ],
  ];

  test.each(rows)('%s, and the snapshot stays open', async (_, given, expected) => {
    const id = await service.newSnapshot();
    expect(errorOf(await service.complete(id, given))).toEqual(expected);
    expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(201);
    await service.complete(id, { count: 1 });
    expect(await service.stateOf(id)).toBe('completed');
  });

  test('an unknown snapshot', async () => {
    const unknown = 'snap-0fedcba9876543210';
    expect(errorOf(await service.complete(unknown, { count: 0 }))).toEqual(missing(unknown));
  });
});
