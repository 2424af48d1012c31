import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
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
const COUNT_MISMATCH = 'error: Changed blocks count mismatch for snapshot';
const CHECKSUM_MISMATCH = 'error: Checksum mismatch for snapshot';
const ALL = { algorithm: 'SHA256', method: 'LINEAR' };

describe('section 4: accepted', () => {
  test(row('14 LINEAR over nothing'), async () => {
    const id = await service.newSnapshot();
    const checksum = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
    const answer = await service.complete(id, { count: 0, checksum, ...ALL });
    expect([answer.status, answer.text]).toEqual([202, '{"Status":"pending"}']);
    expect(await service.stateOf(id)).toBe('completed');
  });

  test.each([
    [
      row('14 LINEAR over one zero block'),
      { 0: 0 },
      '3QyamIjs9/uk1ge+ZPpwA6Yo7YmArJ8I121qDaF+DcI=',
    ],
    [
      row('14 LINEAR over a zero block and a block of FF', 'put in falling order'),
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

  test(
    row('4 count: distinct indices put', 'of a child, blocks equal to the parent’s included'),
    async () => {
      const parent = await service.stored({ 0: 1, 1: 2 });
      const child = await service.newSnapshot({ ParentSnapshotId: parent });
      await service.put({ snapshotId: child, index: 1, data: block(2) });
      await service.complete(child, { count: 1, checksum: linearOf(block(2)), ...ALL });
      expect(await service.stateOf(child)).toBe('completed');
    },
  );

  test(row('4 child that changes nothing'), async () => {
    const child = await service.newSnapshot({ ParentSnapshotId: await service.stored({ 0: 1 }) });
    await service.complete(child, { count: 0 });
    expect(await service.stateOf(child)).toBe('completed');
  });

  test(row('4 repeat after error', 'also with values that are right'), async () => {
    const good = await service.stored({ 0: 1 });
    expect((await service.complete(good, { count: 99 })).json).toEqual({ Status: 'completed' });
    const bad = await service.newSnapshot();
    await service.complete(bad, { count: 1 });
    const again = await service.complete(bad, { count: 0 });
    expect([again.status, again.json]).toEqual([202, { Status: 'error' }]);
  });
});

describe('section 4: figures that turn out wrong', () => {
  test(row('4 wrong count', 'too many'), async () => {
    const id = await service.newSnapshot();
    await service.put({ snapshotId: id, index: 0 });
    expect((await service.complete(id, { count: 2 })).status).toBe(202);
    expect(await service.stateOf(id)).toBe('error: Changed blocks count mismatch for snapshot');
  });

  test(row('14 base64 texts concatenated, the wrong reading'), async () => {
    const id = await service.newSnapshot();
    await service.put({ snapshotId: id, index: 0, data: block(0) });
    await service.put({ snapshotId: id, index: 1, data: block(0xff) });
    const checksum = 'cpMGD7vWxelkmfYQ7DSaD1U+G5QHAEEz4DHGwbREC1k=';
    expect((await service.complete(id, { count: 2, checksum, ...ALL })).status).toBe(202);
    expect(await service.stateOf(id)).toBe('error: Checksum mismatch for snapshot');
  });
});

describe('section 4: rows in one snapshot each', () => {
  type Figures = Parameters<typeof service.complete>[1];
  test.each<[string, Readonly<Record<number, number>>, Figures, string]>([
    [
      row('4 aggregation LINEAR', 'binary digests in index order'),
      { 0: 1, 2: 2, 1: 3 },
      { count: 3, checksum: linearOf(block(1), block(3), block(2)), ...ALL },
      'completed',
    ],
    [row('4 nothing put', 'without the trio'), {}, { count: 0 }, 'completed'],
    [
      row('4 nothing put', 'of nothing'),
      {},
      { count: 0, checksum: linearOf(), ...ALL },
      'completed',
    ],
    [
      row('4 count: distinct indices put', 'of any indices'),
      { 0: 0, 9: 1 },
      { count: 2 },
      'completed',
    ],
    [row('4 wrong count', 'a zero block left out'), { 0: 0, 1: 1 }, { count: 1 }, COUNT_MISMATCH],
    [row('4 wrong count', 'none for one'), { 0: 1 }, { count: 0 }, COUNT_MISMATCH],
    [row('4 wrong count', 'beyond 32 bits'), {}, { count: 4_294_967_296 }, COUNT_MISMATCH],
    [
      row('4 wrong aggregate', 'in the order of writing'),
      { 0: 1, 1: 2 },
      { count: 2, checksum: linearOf(block(2), block(1)), ...ALL },
      CHECKSUM_MISMATCH,
    ],
    [
      row('4 wrong aggregate', 'no digest at all, but in its alphabet'),
      { 0: 1 },
      { count: 1, checksum: 'abc', ...ALL },
      CHECKSUM_MISMATCH,
    ],
  ])('%s', async (_, contents, figures, state) => {
    const id = await service.newSnapshot();
    for (const [index, byte] of Object.entries(contents)) {
      await service.put({ snapshotId: id, index, data: block(byte) });
    }
    const answer = await service.complete(id, figures);
    expect([answer.status, answer.text]).toEqual([202, '{"Status":"pending"}']);
    expect(await service.stateOf(id)).toBe(state);
  });

  test(row('4 wrong count', 'attempts counted'), async () => {
    const id = await service.newSnapshot();
    await service.put({ snapshotId: id, index: 0 });
    await service.put({ snapshotId: id, index: 0, data: block(2) });
    await service.complete(id, { count: 2 });
    expect(await service.stateOf(id)).toBe(COUNT_MISMATCH);
  });

  test(row('4 aggregation LINEAR', 'the last digest of a block counts'), async () => {
    const id = await service.newSnapshot();
    for (const byte of [1, 2]) await service.put({ snapshotId: id, index: 0, data: block(byte) });
    await service.complete(id, { count: 1, checksum: linearOf(block(2)), ...ALL });
    expect(await service.stateOf(id)).toBe('completed');
  });

  test(row('4 response', '202 is acceptance, not success'), async () => {
    const id = await service.newSnapshot();
    const answer = await service.complete(id, { count: 7 });
    expect([answer.status, answer.text]).toEqual([202, '{"Status":"pending"}']);
    expect(await service.stateOf(id)).toBe(COUNT_MISMATCH);
  });

  test(
    row('4 repeat while sealing and after completion', 'nothing is compared again'),
    async () => {
      const id = await service.stored({ 0: 1 });
      for (const figures of [{ count: 1 }, { count: 99 }, { count: 1, checksum: 'abc', ...ALL }]) {
        const answer = await service.complete(id, figures);
        expect([answer.status, answer.text]).toEqual([202, '{"Status":"completed"}']);
      }
      expect(await service.stateOf(id)).toBe('completed');
    },
  );

  test(row('4 SnapshotId', 'deleted'), async () => {
    const id = await service.newSnapshot();
    await service.ec2('DeleteSnapshot', { SnapshotId: id });
    expect(errorOf(await service.complete(id, { count: 0 }))).toEqual(missing(id));
  });

  test(row('4 Checksum', 'outside the base64 alphabet'), async () => {
    const id = await service.newSnapshot();
    expect(errorOf(await service.complete(id, { count: 0, checksum: 'a*b', ...ALL }))).toEqual(
      constraint(
        "Value 'a*b' at 'checksum' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Za-z0-9+/=]+$",
      ),
    );
  });
});

describe('section 4: refused', () => {
  const checksum = linearOf();
  const combination = (what: string): ExpectedError =>
    validation('INVALID_PARAMETER_VALUE', `Invalid parameter combination. ${what} is missing.`);
  const rows: [string, Parameters<typeof service.complete>[1], ExpectedError][] = [
    [
      row('4 ChangedBlocksCount', 'missing'),
      {},
      constraint(
        "Value null at 'changedBlocksCount' failed to satisfy constraint: Member must not be null",
      ),
    ],
    [
      row('4 ChangedBlocksCount', '-1'),
      { count: -1 },
      constraint(
        "Value '-1' at 'changedBlocksCount' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ),
    ],
    [
      row('4 ChecksumAlgorithm', 'another'),
      { count: 0, checksum, algorithm: 'SHA1', method: 'LINEAR' },
      constraint(
        "Value 'SHA1' at 'checksumAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [SHA256]",
      ),
    ],
    [
      row('4 ChecksumAggregationMethod', 'another'),
      { count: 0, checksum, algorithm: 'SHA256', method: 'TREE' },
      constraint(
        "Value 'TREE' at 'checksumAggregationMethod' failed to satisfy constraint: Member must satisfy enum value set: [LINEAR]",
      ),
    ],
    [
      row('4 trio: all three or none', 'the checksum alone'),
      { count: 0, checksum },
      combination('Checksum algorithm'),
    ],
    [
      row('4 trio: all three or none', 'the algorithm alone'),
      { count: 0, algorithm: 'SHA256' },
      combination('Snapshot checksum'),
    ],
    [
      row('4 trio: all three or none', 'the method alone'),
      { count: 0, method: 'LINEAR' },
      combination('Snapshot checksum'),
    ],
    [
      row('15 method alone missing'),
      { count: 0, checksum, algorithm: 'SHA256' },
      combination('Checksum aggregation method'),
    ],
  ];

  test.each(rows)(row('4 refused Complete changes nothing', '%s'), async (_, given, expected) => {
    const id = await service.newSnapshot();
    expect(errorOf(await service.complete(id, given))).toEqual(expected);
    expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(201);
    await service.complete(id, { count: 1 });
    expect(await service.stateOf(id)).toBe('completed');
  });

  test(row('4 SnapshotId', 'unknown'), async () => {
    const unknown = 'snap-0fedcba9876543210';
    expect(errorOf(await service.complete(unknown, { count: 0 }))).toEqual(missing(unknown));
  });
});
