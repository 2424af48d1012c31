import { expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import {
  digestOf,
  block,
  errorOf,
  linearOf,
  missing,
  ServiceUnderTest,
  type RawAnswer,
} from './local-service-client.ts';

/** Which of two wrongs a request is told: section 13. Each case breaks two rules; the answer names the first. */
const service = await ServiceUnderTest.start();
const UNKNOWN = 'snap-0fedcba9876543210';
const KEY = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const SHORT = Buffer.from('12345');
const open = await service.newSnapshot();
const sealed = await service.stored({});
const stored = await service.stored({ 0: 1 });
const unrelated = await service.stored({ 0: 1 });
const failed = await service.newSnapshot();
await service.complete(failed, { count: 9 });

const wrongSecret = { credentials: { accessKeyId: 'local', secretAccessKey: 'other' } };
const unknownAlgorithm = { 'x-amz-checksum-algorithm': 'SHA1' };
const wrongDigest = { 'x-amz-checksum': digestOf(block(2)) };

test.each<[string, () => Promise<RawAnswer>, string | RegExp]>([
  [
    row('13 all: signature, constraints, then the rest', 'signature before constraints'),
    () => service.start({ VolumeSize: 0 }, wrongSecret),
    /request signature we calculated/,
  ],
  [
    row('13 all: signature, constraints, then the rest', 'signature before the unknown path'),
    () => service.send({ method: 'GET', path: '/nothing', ...wrongSecret }),
    /request signature we calculated/,
  ],
  [
    row('13 all: signature, constraints, then the rest', 'a constraint before existence, List'),
    () => service.list(UNKNOWN, { maxResults: '1' }),
    /at 'maxResults'/,
  ],
  [
    row('13 all: signature, constraints, then the rest', 'a constraint before a page token'),
    () => service.list(stored, { startingBlockIndex: '-1', pageToken: 'nonsense' }),
    /at 'startingBlockIndex'/,
  ],
  [
    row('13 StartSnapshot', 'a constraint before the token is looked up'),
    async () => {
      await service.start({ ClientToken: 'constraint' });
      return service.start({ ClientToken: 'constraint', Timeout: 9 });
    },
    /at 'timeout'/,
  ],
  ...(
    [
      ['a volume too large', { VolumeSize: 65_537 }],
      ['a reserved tag', { Tags: [{ Key: 'aws:x', Value: '' }] }],
      ['a missing parent', { ParentSnapshotId: UNKNOWN }],
      ['a combination', { Encrypted: false, KmsKeyArn: KEY }],
    ] as const
  ).map(([what, body]): [string, () => Promise<RawAnswer>, string] => [
    row('13 StartSnapshot', `token conflict before ${what}`),
    async () => {
      const ClientToken = what.replaceAll(' ', '-');
      await service.start({ ClientToken });
      return service.start({ ClientToken, ...body });
    },
    'Current request does not match request stored with this token.',
  ]),
  [
    row('13 StartSnapshot', 'parent and key before parent and Encrypted'),
    () => service.start({ ParentSnapshotId: stored, KmsKeyArn: KEY, Encrypted: true }),
    'ParentSnapshotId and KmsKeyArn cannot be specified together',
  ],
  [
    row('13 StartSnapshot', 'a combination before the parent is looked up'),
    () => service.start({ ParentSnapshotId: UNKNOWN, Encrypted: true }),
    'ParentSnapshotId and Encrypt cannot be specified together',
  ],
  [
    row('13 StartSnapshot', 'a pending parent before its size'),
    async () => {
      const parent = await service.newSnapshot({ VolumeSize: 2 });
      return service.start({ ParentSnapshotId: parent });
    },
    /is not complete\.$/,
  ],
  [
    row('13 PutSnapshotBlock', 'a constraint before existence'),
    () => service.put({ snapshotId: UNKNOWN, index: -1 }),
    /at 'blockIndex'/,
  ],
  [
    row('13 PutSnapshotBlock', 'existence before the body'),
    () => service.put({ snapshotId: UNKNOWN, index: 0, data: SHORT }),
    missing(UNKNOWN).message ?? '',
  ],
  [
    row('13 PutSnapshotBlock', 'sealed before the body'),
    () => service.put({ snapshotId: sealed, index: 0, data: SHORT }),
    'Snapshot is already completed',
  ],
  [
    row('13 PutSnapshotBlock', 'a short body before a wrong DataLength'),
    () => service.put({ snapshotId: open, index: 0, data: SHORT }),
    'Failed to read block data',
  ],
  [
    row('13 PutSnapshotBlock', 'DataLength before the index'),
    () => service.put({ snapshotId: open, index: 2048, headers: { 'x-amz-data-length': '1' } }),
    'Block data length 1 is not valid, expected 524288',
  ],
  [
    row('13 PutSnapshotBlock', 'the index before the algorithm'),
    () => service.put({ snapshotId: open, index: 2048, headers: unknownAlgorithm }),
    'Block index 2048 is beyond the volume size extent',
  ],
  [
    row('13 PutSnapshotBlock', 'the algorithm before the digest'),
    () =>
      service.put({
        snapshotId: open,
        index: 0,
        headers: { ...unknownAlgorithm, ...wrongDigest },
      }),
    /^Unsupported Checksum Algorithm/,
  ],
  [
    row('13 CompleteSnapshot', 'a constraint before existence'),
    () => service.complete(UNKNOWN, { count: -1 }),
    /at 'changedBlocksCount'/,
  ],
  [
    row('13 CompleteSnapshot', 'a constraint before a final state'),
    () => service.complete(sealed, { count: -1 }),
    /at 'changedBlocksCount'/,
  ],
  [
    row('13 CompleteSnapshot', 'existence before the trio'),
    () => service.complete(UNKNOWN, { count: 0, checksum: linearOf() }),
    missing(UNKNOWN).message ?? '',
  ],
  [
    row('13 CompleteSnapshot', 'a missing checksum before a missing method'),
    () => service.complete(open, { count: 0, algorithm: 'SHA256' }),
    'Invalid parameter combination. Snapshot checksum is missing.',
  ],
  [
    row('13 CompleteSnapshot', 'a missing algorithm before a missing method'),
    () => service.complete(open, { count: 0, checksum: linearOf() }),
    'Invalid parameter combination. Checksum algorithm is missing.',
  ],
  [
    row('13 ListSnapshotBlocks', 'existence before the page token'),
    () => service.list(open, { pageToken: 'nonsense' }),
    missing(open).message ?? '',
  ],
  [
    row('13 ListChangedBlocks', 'a constraint before the missing first id'),
    () => service.changed(undefined, stored, { maxResults: '1' }),
    /at 'maxResults'/,
  ],
  [
    row('13 ListChangedBlocks', 'the missing first id before existence of the second'),
    () => service.changed(undefined, UNKNOWN),
    'First snapshot should not be empty or null',
  ],
  [
    row('13 ListChangedBlocks', 'existence before the page token'),
    () => service.changed(stored, UNKNOWN, { pageToken: 'nonsense' }),
    `The snapshot '${stored}' or '${UNKNOWN}' does not exist.`,
  ],
  [
    row('13 ListChangedBlocks', 'relatedness before the page token'),
    () => service.changed(stored, unrelated, { pageToken: 'nonsense' }),
    `The snapshot ${stored} and ${unrelated} are not related.`,
  ],
  [
    row('13 GetSnapshotBlock', 'a constraint before existence'),
    () => service.get(UNKNOWN, -1, 'x'),
    /at 'blockIndex'/,
  ],
  [
    row('13 GetSnapshotBlock', 'existence before the token'),
    () => service.get(open, 0, 'nonsense'),
    missing(open).message ?? '',
  ],
  [
    row('13 GetSnapshotBlock', 'an index past the volume is judged through the token'),
    async () => service.get(stored, 2048, (await service.tokens(stored)).get(0)),
    /^The block token .* is invalid\.$/,
  ],
])('%s', async (_, send, message) => {
  const error = errorOf(await send());
  expect(error.message).toEqual(
    message instanceof RegExp ? expect.stringMatching(message) : message,
  );
});

test.each([
  ['completed', sealed],
  ['error', failed],
])('a final state comes before the trio: %s', async (status, id) => {
  const answer = await service.complete(id, { count: 0, checksum: linearOf() });
  expect([answer.status, answer.text]).toEqual([202, `{"Status":"${status}"}`]);
});
