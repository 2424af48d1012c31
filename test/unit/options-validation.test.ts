import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import {
  restoreSnapshot,
  SnapshotWriter,
  uploadSnapshot,
  type RestoreOptions,
  type UploadOptions,
} from '../../src/index.ts';

/** A client that must never be asked for anything. */
const client = {
  config: {},
  send: () => {
    throw new Error('a call was made');
  },
} as unknown as NonNullable<UploadOptions['client']>;

const SNAPSHOT = 'snap-0123456789abcdef0';
const KEY = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const tags = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ Key: `key${i}`, Value: 'v' }));

interface Case {
  readonly name: string;
  readonly params?: Record<string, unknown>;
  readonly options?: Record<string, unknown>;
  readonly says: RegExp;
}

const BAD: Case[] = [
  { name: 'no size', params: { VolumeSize: undefined }, says: /VolumeSize must be the size/ },
  ...[0, 65_537, 1.5, -1, Number.NaN].map((VolumeSize) => ({
    name: `size ${VolumeSize}`,
    params: { VolumeSize },
    says: /params\.VolumeSize must be a whole number of GiB, between 1 and 65536; received/,
  })),
  { name: 'size as text', params: { VolumeSize: 'big' }, says: /number of GiB; received 'big'/ },
  ...[9, 4321, 60.5].map((Timeout) => ({
    name: `timeout ${Timeout}`,
    params: { Timeout },
    says: /params\.Timeout must be a whole number of minutes, between 10 and 4320/,
  })),
  { name: '51 tags', params: { Tags: tags(51) }, says: /at most 50 tags; received 51 tags/ },
  { name: 'tag without key', params: { Tags: [{ Value: 'v' }] }, says: /Tags\[0\]\.Key must be a/ },
  { name: 'empty tag key', params: { Tags: [{ Key: '' }] }, says: /Key must be 1 to 127 char/ },
  {
    name: 'same key twice',
    params: { Tags: [...tags(2), { Key: 'key1' }] },
    says: /Tags\[2\]\.Key must be given only once; received 'key1'/,
  },
  {
    name: 'tag key of 128',
    params: { Tags: [{ Key: 'k'.repeat(128) }] },
    says: /1 to 127 characters long; received 128 characters/,
  },
  {
    name: 'tag value of 256',
    params: { Tags: [{ Key: 'k', Value: 'v'.repeat(256) }] },
    says: /0 to 255 characters long; received 256 characters/,
  },
  { name: 'aws: key', params: { Tags: [{ Key: 'aws:x' }] }, says: /reserved prefix "aws:"/ },
  { name: 'AWS: key', params: { Tags: [{ Key: 'AWS:x' }] }, says: /reserved prefix "aws:"/ },
  {
    name: 'description of 256',
    params: { Description: 'd'.repeat(256) },
    says: /Description must be 1 to 255 characters long; received 256/,
  },
  { name: 'empty description', params: { Description: '' }, says: /1 to 255 characters/ },
  {
    name: 'parent and encryption',
    params: { ParentSnapshotId: SNAPSHOT, Encrypted: true },
    says: /Encrypted cannot be given together with params\.ParentSnapshotId/,
  },
  {
    name: 'parent and Encrypted: false',
    params: { ParentSnapshotId: SNAPSHOT, Encrypted: false },
    says: /cannot be given together/,
  },
  {
    name: 'parent and key',
    params: { ParentSnapshotId: SNAPSHOT, KmsKeyArn: KEY },
    says: /KmsKeyArn cannot be given together with params\.ParentSnapshotId/,
  },
  {
    name: 'key without encryption',
    params: { Encrypted: false, KmsKeyArn: KEY },
    says: /KmsKeyArn cannot be given together with params\.Encrypted: false/,
  },
  {
    name: 'key alias',
    params: { KmsKeyArn: 'arn:aws:kms:us-east-1:111122223333:alias/disk' },
    says: /the ARN of a KMS key .* not an alias/,
  },
  { name: 'bare alias', params: { KmsKeyArn: 'alias/disk' }, says: /not an alias/ },
  ...['snap-', 'snap-XYZ', 'vol-0123', 'snap-0123\n', '', 7].map((ParentSnapshotId) => ({
    name: `parent ${JSON.stringify(ParentSnapshotId)}`,
    params: { ParentSnapshotId },
    says: /params\.ParentSnapshotId must be a snapshot id/,
  })),
  ...['', 'with space', 't'.repeat(256)].map((ClientToken) => ({
    name: `token of ${ClientToken.length}`,
    params: { ClientToken },
    says: /params\.ClientToken must be/,
  })),
  { name: 'Encrypted as text', params: { Encrypted: 'yes' }, says: /must be true or false/ },
  { name: 'zeroBlocks', options: { zeroBlocks: 'skip' }, says: /must be 'write' or 'omit'/ },
  {
    name: 'omit under a parent',
    params: { ParentSnapshotId: SNAPSHOT },
    options: { zeroBlocks: 'omit' },
    says: /zeroBlocks: 'omit' cannot be given together with params\.ParentSnapshotId/,
  },
  {
    name: 'omit and encryption',
    params: { Encrypted: true },
    options: { zeroBlocks: 'omit' },
    says: /zeroBlocks: 'omit' cannot be given together with an encrypted snapshot/,
  },
  { name: 'resume alone', options: { resume: true }, says: /manifest must be given together with/ },
  {
    name: 'empty manifest',
    options: { manifest: '' },
    says: /manifest must be a path that is not/,
  },
  {
    name: 'base alone',
    params: { ParentSnapshotId: SNAPSHOT },
    options: { base: 'parent.manifest' },
    says: /manifest must be given together with base/,
  },
  {
    name: 'base without parent',
    options: { base: 'parent.manifest', manifest: 'vol.manifest' },
    says: /params\.ParentSnapshotId must be given together with base/,
  },
  {
    name: 'deletion and manifest',
    options: { onFailure: 'delete', manifest: 'vol.manifest' },
    says: /onFailure: 'delete' cannot be given together with manifest/,
  },
  { name: 'budget', options: { maxInFlightBytes: 1000 }, says: /of bytes, at least 524288/ },
  { name: 'transport', options: { transport: 'fast' }, says: /must be 'lean' or 'sdk'/ },
  ...[0, -1, Number.POSITIVE_INFINITY, Number.NaN].map((maxBytesPerSecond) => ({
    name: `rate ${maxBytesPerSecond}`,
    options: { maxBytesPerSecond },
    says: /maxBytesPerSecond must be a number of bytes a second above 0/,
  })),
  { name: 'requests', options: { maxRequestsPerSecond: '9' }, says: /number of requests a second/ },
  { name: 'client', options: { client: {} }, says: /client must be an EBSClient/ },
  { name: 'signal', options: { signal: {} }, says: /signal must be an AbortSignal/ },
  { name: 'misspelt option', options: { zeroBlock: 'omit' }, says: /no option "zeroBlock"/ },
  { name: 'inherited name', options: { toString: 1 }, says: /no option "toString"/ },
];

const CODES = /^ERR_(INVALID_ARG_TYPE|INVALID_ARG_VALUE|OUT_OF_RANGE)$/;

describe('values are refused in one sentence before any call', () => {
  test.each(BAD)('SnapshotWriter: $name', ({ params, options, says }) => {
    const make = () =>
      new SnapshotWriter({ client, ...options, params: { VolumeSize: 1, ...params } });
    expect(make).toThrow(says);
    expect(make).toThrow(expect.objectContaining({ code: expect.stringMatching(CODES) as string }));
    expect(make).not.toThrow(/\n/);
  });

  test.each(BAD.filter(({ name }) => name !== 'no size'))(
    'uploadSnapshot: $name',
    async ({ params, options, says }) => {
      const source = Readable.from([Buffer.alloc(1)]);
      const upload = uploadSnapshot({
        client,
        source,
        ...options,
        params: { VolumeSize: 1, ...params },
      });
      await expect(upload).rejects.toThrow(says);
      source.destroy();
    },
  );

  test('uploadSnapshot: a stream needs a size', async () => {
    const upload = uploadSnapshot({ client, source: Readable.from([Buffer.alloc(1)]) });
    await expect(upload).rejects.toThrow(/VolumeSize must be given for a stream/);
  });

  test.each([
    ['no id', { snapshotId: undefined }, /snapshotId must be the id of a snapshot/],
    ['bad id', { snapshotId: 'snap-Z' }, /snapshotId must be a snapshot id/],
    ['no target', { target: undefined }, /target must be a path or a Writable/],
    ['empty target', { target: '' }, /path that is not empty/],
    ['force', { force: 1 }, /force must be true or false/],
    ['listener', { on: { progress: 1 } }, /on\.progress must be a function/],
    ['unknown', { overwrite: true }, /restoreSnapshot has no option "overwrite"/],
  ])('restoreSnapshot: %s', async (_name, options, says) => {
    const target = new Writable();
    const restore = restoreSnapshot({
      client,
      snapshotId: SNAPSHOT,
      target,
      ...options,
    } as RestoreOptions);
    await expect(restore).rejects.toThrow(says);
  });

  test('names that the SDK may add later are left to the service', () => {
    const params = { VolumeSize: 1, SomethingNew: 'x' };
    expect(() => new SnapshotWriter({ client, params: params }).destroy()).not.toThrow();
  });

  test('every limit itself is accepted', () => {
    const params = {
      VolumeSize: 65_536,
      Timeout: 4320,
      Description: 'd'.repeat(255),
      ClientToken: 't'.repeat(255),
      Tags: [...tags(49), { Key: 'k'.repeat(127), Value: 'v'.repeat(255) }],
      KmsKeyArn: KEY,
      Encrypted: true,
    };
    expect(() => new SnapshotWriter({ client, params }).destroy()).not.toThrow();
  });
});
