import { expect, test } from 'vitest';
import {
  block,
  digestOf,
  errorOf,
  linearOf,
  missing,
  ServiceUnderTest,
} from './local-service-client.ts';

/**
 * What moto 5.2.5 does otherwise than the service (read in `moto/ebs/models.py` and `responses.py` of the published
 * wheel, and seen of its server), each with the proof that this service does not. A client that is wrong in one of these
 * ways passes against moto.
 */
const service = await ServiceUnderTest.start();
const KEY = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const UNKNOWN = 'snap-0fedcba9876543210';

const differences: readonly (readonly [string, () => Promise<void>])[] = [
  [
    'BlockSize is 512',
    async () => {
      const id = await service.stored({ 0: 1 });
      const answers = [
        await service.start(),
        await service.list(id),
        await service.changed(id, id),
      ];
      expect(answers.map(({ json }) => json.BlockSize)).toEqual([524_288, 524_288, 524_288]);
    },
  ],
  [
    'no signature is verified',
    async () => {
      const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' };
      expect((await service.start({}, { credentials })).status).toBe(403);
    },
  ],
  [
    'ParentSnapshotId is ignored: a child inherits nothing and answers without it',
    async () => {
      const ParentSnapshotId = await service.stored({ 3: 1 });
      const { json } = await service.start({ ParentSnapshotId });
      expect(json.ParentSnapshotId).toBe(ParentSnapshotId);
      await service.complete(String(json.SnapshotId), { count: 0 });
      expect([...(await service.tokens(String(json.SnapshotId))).keys()]).toEqual([3]);
    },
  ],
  [
    'a parent that does not exist, or is pending, is taken',
    async () => {
      const pending = await service.newSnapshot();
      for (const ParentSnapshotId of [UNKNOWN, pending]) {
        expect((await service.start({ ParentSnapshotId })).status).toBeGreaterThanOrEqual(400);
      }
    },
  ],
  [
    'ClientToken is ignored: each retry makes a snapshot, and there is no conflict',
    async () => {
      const body = { ClientToken: 'moto', Description: 'a' };
      const [first, again] = [await service.start(body), await service.start(body)];
      expect(again.text).toBe(first.text);
      expect((await service.start({ ...body, Description: 'b' })).status).toBe(409);
    },
  ],
  [
    'Encrypted and KmsKeyArn are ignored',
    async () => {
      expect((await service.start({ KmsKeyArn: KEY })).json.KmsKeyArn).toBe(KEY);
      expect((await service.start({ KmsKeyArn: KEY, Encrypted: false })).status).toBe(400);
    },
  ],
  [
    'Timeout is ignored: a snapshot waits for ever',
    async () => {
      const id = await service.newSnapshot({ Timeout: 10 });
      service.clock.ms += 600_000;
      expect(await service.stateOf(id)).toBe('error: Snapshot timed out');
    },
  ],
  [
    'nothing is checked: VolumeSize 0 or 65537, a Timeout of 9, a Description of 256',
    async () => {
      const bodies = [
        { VolumeSize: 0 },
        { VolumeSize: 65_537 },
        { Timeout: 9 },
        { Description: 'd'.repeat(256) },
      ];
      for (const body of bodies) expect((await service.start(body)).status).toBe(400);
    },
  ],
  [
    'Tags is [] when none were given, and members without a value are left out',
    async () => {
      expect((await service.start()).json).toMatchObject({
        Tags: null,
        Description: null,
        KmsKeyArn: null,
        ParentSnapshotId: null,
        SseType: null,
      });
    },
  ],
  [
    'StartSnapshot makes a volume and an EC2 snapshot that is completed at once',
    async () => {
      const id = await service.newSnapshot();
      const { text } = await service.ec2('DescribeSnapshots', { 'SnapshotId.1': id });
      expect(text).toContain('<volumeId>vol-ffffffff</volumeId><status>pending</status>');
    },
  ],
  [
    'the Checksum of a Put is taken at face value and echoed',
    async () => {
      const snapshotId = await service.newSnapshot();
      const headers = { 'x-amz-checksum': digestOf(block(2)) };
      const answer = await service.put({ snapshotId, index: 0, data: block(1), headers });
      expect(errorOf(answer)).toMatchObject({ status: 403, type: 'InvalidSignatureException' });
    },
  ],
  [
    'a ChecksumAlgorithm other than SHA256 is taken',
    async () => {
      const snapshotId = await service.newSnapshot();
      const headers = { 'x-amz-checksum-algorithm': 'MD5' };
      expect((await service.put({ snapshotId, index: 0, headers })).status).toBe(400);
    },
  ],
  [
    'blocks of any length are taken, whatever DataLength says',
    async () => {
      const snapshotId = await service.newSnapshot();
      for (const length of [0, 512, 524_289]) {
        const data = Buffer.alloc(length);
        expect((await service.put({ snapshotId, index: 0, data })).status).toBe(400);
      }
      const headers = { 'x-amz-data-length': '512' };
      expect((await service.put({ snapshotId, index: 0, headers })).status).toBe(400);
    },
  ],
  [
    'a block past the end of the volume is taken',
    async () => {
      const snapshotId = await service.newSnapshot();
      expect((await service.put({ snapshotId, index: 2048 })).json.Reason).toBe('INVALID_BLOCK');
    },
  ],
  [
    'CompleteSnapshot answers completed at once',
    async () => {
      const { json } = await service.complete(await service.newSnapshot(), { count: 0 });
      expect(json).toEqual({ Status: 'pending' });
    },
  ],
  [
    'ChangedBlocksCount is ignored',
    async () => {
      const id = await service.newSnapshot();
      await service.complete(id, { count: 5 });
      expect(await service.stateOf(id)).toBe('error: Changed blocks count mismatch for snapshot');
    },
  ],
  [
    'the Checksum of CompleteSnapshot and its method are ignored',
    async () => {
      const id = await service.newSnapshot();
      const checksum = linearOf(block(1));
      expect((await service.complete(id, { count: 0, checksum })).status).toBe(400);
      const whole = { count: 0, checksum, algorithm: 'SHA256', method: 'LINEAR' };
      await service.complete(id, whole);
      expect(await service.stateOf(id)).toBe('error: Checksum mismatch for snapshot');
    },
  ],
  [
    'blocks can be put after CompleteSnapshot',
    async () => {
      const snapshotId = await service.stored({ 0: 1 });
      const answer = await service.put({ snapshotId, index: 1 });
      expect(answer.json.Message).toBe('Snapshot is already completed');
    },
  ],
  [
    'a pending snapshot can be listed and read',
    async () => {
      const id = await service.newSnapshot();
      await service.put({ snapshotId: id, index: 0 });
      expect(errorOf(await service.list(id))).toEqual(missing(id));
      expect(errorOf(await service.get(id, 0, 'token'))).toEqual(missing(id));
    },
  ],
  [
    'blocks are listed in the order in which they were put',
    async () => {
      const id = await service.newSnapshot();
      for (const index of [9, 1, 5]) await service.put({ snapshotId: id, index });
      await service.complete(id, { count: 3 });
      expect([...(await service.tokens(id)).keys()]).toEqual([1, 5, 9]);
    },
  ],
  [
    'MaxResults, StartingBlockIndex and NextToken are ignored: one page, whatever its length',
    async () => {
      const contents = Array.from({ length: 101 }, (_, i) => [i, 0]);
      const id = await service.stored(Object.fromEntries(contents) as Record<number, number>);
      expect((await service.list(id, { maxResults: '100' })).json.Blocks).toHaveLength(100);
      expect((await service.list(id, { startingBlockIndex: '100' })).json.Blocks).toHaveLength(1);
      expect((await service.list(id, { pageToken: 'nonsense' })).status).toBe(400);
      expect((await service.list(id, { maxResults: '1' })).status).toBe(400);
    },
  ],
  [
    'lists have no ExpiryTime and no NextToken',
    async () => {
      const { json } = await service.list(await service.stored({ 0: 1 }));
      expect(json).toMatchObject({ ExpiryTime: expect.any(Number) as number, NextToken: null });
    },
  ],
  [
    'the BlockToken of a Get is ignored',
    async () => {
      const id = await service.stored({ 0: 1, 1: 1 });
      const token = (await service.tokens(id)).get(0);
      expect((await service.get(id, 0)).status).toBe(400);
      expect((await service.get(id, 0, 'anything')).json.Reason).toBe('INVALID_BLOCK_TOKEN');
      expect((await service.get(id, 1, token)).json.Reason).toBe('INVALID_BLOCK_TOKEN');
    },
  ],
  [
    'a BlockToken never expires, and is the same in every listing',
    async () => {
      const id = await service.stored({ 0: 1 });
      const [token, other] = [await service.tokens(id), await service.tokens(id)];
      expect(token.get(0)).not.toBe(other.get(0));
      service.clock.ms += 7 * 86_400_000;
      expect((await service.get(id, 0, token.get(0))).json.Reason).toBe('INVALID_BLOCK_TOKEN');
    },
  ],
  [
    'the Checksum of a Get is what the writer claimed',
    async () => {
      const id = await service.stored({ 0: 1 });
      const { headers } = await service.get(id, 0, (await service.tokens(id)).get(0));
      expect(headers['x-amz-checksum']).toBe(digestOf(block(1)));
      expect(headers['x-amz-data-length']).toBe('524288');
    },
  ],
  [
    'ListChangedBlocks compares contents: an identical rewrite is no change',
    async () => {
      const parent = await service.stored({ 0: 1 });
      const child = await service.stored({ 0: 1 }, { ParentSnapshotId: parent });
      expect((await service.changed(parent, child)).json.ChangedBlocks).toHaveLength(1);
    },
  ],
  [
    'ListChangedBlocks leaves out what only the second snapshot has',
    async () => {
      const parent = await service.stored({ 0: 1 });
      const child = await service.stored({ 5: 1 }, { ParentSnapshotId: parent });
      expect((await service.changed(parent, child)).json.ChangedBlocks).toEqual([
        { BlockIndex: 5, FirstBlockToken: null, SecondBlockToken: expect.any(String) as string },
      ]);
    },
  ],
  [
    'ListChangedBlocks reports every inherited block as gone, since a child inherits none',
    async () => {
      const parent = await service.stored({ 0: 1, 1: 1 });
      const child = await service.stored({}, { ParentSnapshotId: parent });
      expect((await service.changed(parent, child)).json.ChangedBlocks).toEqual([]);
    },
  ],
  [
    'ListChangedBlocks takes unrelated and pending snapshots, and tells the size of the first',
    async () => {
      const [a, b] = [await service.stored({}), await service.stored({})];
      expect((await service.changed(a, b)).json.Reason).toBe('UNRELATED_SNAPSHOTS');
      const pending = await service.newSnapshot();
      expect((await service.changed(a, pending)).status).toBe(404);
      const larger = await service.stored({ 9: 1 }, { ParentSnapshotId: a, VolumeSize: 2 });
      expect((await service.changed(a, larger)).json.VolumeSize).toBe(2);
    },
  ],
  [
    'a missing FirstSnapshotId is an internal error',
    async () => {
      const answer = await service.changed(undefined, UNKNOWN);
      expect(answer.json.Message).toBe('First snapshot should not be empty or null');
    },
  ],
  [
    'an unknown snapshot or block is a KeyError, not an answer of the model',
    async () => {
      const answers = [
        await service.put({ snapshotId: UNKNOWN, index: 0 }),
        await service.complete(UNKNOWN, { count: 0 }),
        await service.list(UNKNOWN),
        await service.get(UNKNOWN, 0, 'token'),
      ];
      for (const answer of answers) expect(errorOf(answer)).toEqual(missing(UNKNOWN));
    },
  ],
  [
    'BlockIndex is a text (up to 4.2.14)',
    async () => {
      const id = await service.stored({ 9: 1 });
      expect((await service.list(id)).text).toContain('{"BlockIndex":9,');
      expect((await service.changed(id, await child(id))).text).toContain('{"BlockIndex":9,');
    },
  ],
  [
    'keys are in no order, times are plain, request ids no UUIDs, a block is application/json',
    async () => {
      const { text, headers } = await service.start();
      expect(text).toMatch(/^\{"BlockSize".*"StartTime":\d\.\d+E9,.*"VolumeSize":1\}$/);
      expect(headers['x-amzn-requestid']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      const id = await service.stored({ 0: 1 });
      const answer = await service.get(id, 0, (await service.tokens(id)).get(0));
      expect(answer.headers['content-type']).toBe('application/octet-stream');
    },
  ],
  [
    'a snapshot deleted through EC2 lives on in EBS direct',
    async () => {
      const id = await service.stored({ 0: 1 });
      await service.ec2('DeleteSnapshot', { SnapshotId: id });
      expect(errorOf(await service.list(id))).toEqual(missing(id));
    },
  ],
];

test.each(differences)('moto: %s', async (_, prove) => {
  await prove();
});

/** A child that writes block 9 anew. */
function child(ParentSnapshotId: string): Promise<string> {
  return service.stored({ 9: 2 }, { ParentSnapshotId });
}
