import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import {
  block,
  constraint,
  errorOf,
  missing,
  ServiceUnderTest,
  validation,
  type ExpectedError,
} from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const withDefaultEncryption = await ServiceUnderTest.start({ encryptionByDefault: true });
const KEY = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const ANY_KEY = expect.stringMatching(/^arn:aws:kms:us-east-1:111122223333:key\//) as string;

describe('section 2.2: the answer', () => {
  test(row('2.2 response', 'every member, sorted, absent ones null'), async () => {
    const { status, text, headers } = await service.start({
      Description: 'd',
      Tags: [{ Key: 'k', Value: 'v' }],
    });
    expect(status).toBe(201);
    expect(headers['content-type']).toBe('application/json');
    expect(text.replace(/snap-0[0-9a-f]{16}/, 'ID')).toBe(
      '{"BlockSize":524288,"Description":"d","KmsKeyArn":null,"OwnerId":"111122223333",' +
        '"ParentSnapshotId":null,"SnapshotId":"ID","SseType":null,"StartTime":1.79033744057E9,' +
        '"Status":"pending","Tags":[{"Key":"k","Value":"v"}],"VolumeSize":1}',
    );
  });

  test(row('1.3 absent values are null', 'Description and Tags'), async () => {
    const { json } = await service.start();
    expect(json).toMatchObject({ Description: null, Tags: null });
  });
});

describe('section 2.1: the request', () => {
  const refused: [string, object, ExpectedError][] = [
    [
      row('2.1 VolumeSize', 'missing'),
      { VolumeSize: undefined },
      constraint(
        "Value null at 'volumeSize' failed to satisfy constraint: Member must not be null",
      ),
    ],
    [
      row('2.1 VolumeSize', '0'),
      { VolumeSize: 0 },
      constraint(
        "Value '0' at 'volumeSize' failed to satisfy constraint: Member must have value greater than or equal to 1",
      ),
    ],
    [
      row('2.1 VolumeSize', '65537'),
      { VolumeSize: 65_537 },
      validation('INVALID_VOLUME_SIZE', /65537/),
    ],
    [
      row('2.1 ClientToken', 'of 256'),
      { ClientToken: 'x'.repeat(256) },
      constraint(
        `Value '${'x'.repeat(256)}' at 'clientToken' failed to satisfy constraint: Member must have length less than or equal to 255`,
      ),
    ],
    [
      row('2.1 ClientToken', 'empty'),
      { ClientToken: '' },
      constraint(
        "Value '' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[\\S]+$",
      ),
    ],
    [
      row('2.1 Description', 'empty'),
      { Description: '' },
      constraint(
        "Value '' at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[\\S\\s]+$",
      ),
    ],
    [
      row('2.1 Timeout', '9'),
      { Timeout: 9 },
      constraint(
        "Value '9' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 10",
      ),
    ],
    [
      row('2.1 Timeout', '4321'),
      { Timeout: 4321 },
      constraint(
        "Value '4321' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 4320",
      ),
    ],
    [
      row('2.1 ParentSnapshotId', 'upper-case digits'),
      { ParentSnapshotId: 'snap-0ABC' },
      constraint(
        "Value 'snap-0ABC' at 'parentSnapshotId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^snap-[0-9a-f]+$",
      ),
    ],
    [
      row('2.1 KmsKeyArn', 'an alias'),
      { KmsKeyArn: 'alias/aws/ebs' },
      constraint(
        "Value 'alias/aws/ebs' at 'kmsKeyArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws[a-z\\-]*:kms:.*:[0-9]{12}:key/.*",
      ),
    ],
    [
      row('2.1 Tags', 'a key of 128'),
      { Tags: [{ Key: 'k'.repeat(128), Value: '' }] },
      constraint(
        `Value '${'k'.repeat(128)}' at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 127`,
      ),
    ],
    [
      row('2.6 INVALID_TAG and INVALID_VOLUME_SIZE', 'a reserved tag key'),
      { Tags: [{ Key: 'aws:x', Value: '' }] },
      validation('INVALID_TAG', /aws:/),
    ],
    [
      row('2.6 INVALID_TAG and INVALID_VOLUME_SIZE', 'a tag key twice'),
      {
        Tags: [
          { Key: 'k', Value: '1' },
          { Key: 'k', Value: '2' },
        ],
      },
      validation('INVALID_TAG', /k/),
    ],
  ];

  test.each(refused)('%s is refused', async (_, body, expected) => {
    expect(errorOf(await service.start(body))).toEqual({
      ...expected,
      message: matcher(expected),
    });
  });

  test(row('2.1 Tags', '51 of them'), async () => {
    const Tags = Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' }));
    const { status, text } = await service.start({ Tags });
    expect(status).toBe(400);
    expect(text).toContain("at 'tags' failed to satisfy constraint: Member must have length");
  });

  test(row('1.4 several violations at once', 'of two members'), async () => {
    const { json } = await service.start({ VolumeSize: 0, Timeout: 9 });
    expect(json.message).toMatch(/^2 validation errors detected: .*'volumeSize'.*; .*'timeout'/);
  });

  test.each([
    [row('2.1 VolumeSize', 'the largest'), { VolumeSize: 65_536 }],
    [row('2.1 ClientToken', 'of 255'), { ClientToken: 'y'.repeat(255) }],
    [row('2.1 Timeout', 'the shortest'), { Timeout: 10 }],
    [row('2.1 Timeout', 'the longest'), { Timeout: 4320 }],
    [
      row('2.1 Tags', '50 of them'),
      { Tags: Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: '' })) },
    ],
    ['explicit nulls', { Description: null, Tags: null, ParentSnapshotId: null }],
  ])('%s is accepted', async (_, body) => {
    expect((await service.start(body)).status).toBe(201);
  });

  test.each([
    ['no JSON', '{'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['no object', '[]'],
    ['a text for a number', '{"VolumeSize":"big"}'],
    ['a fraction', '{"VolumeSize":1.5}'],
    ['a number for a text', '{"VolumeSize":1,"Description":1}'],
    ['tags that are no list', '{"VolumeSize":1,"Tags":{}}'],
  ])('a body with %s is a SerializationException', async (_, body) => {
    const answer = await service.start({}, { body });
    expect(errorOf(answer)).toMatchObject({
      status: 400,
      type: 'SerializationException',
      family: 'framework',
    });
  });
});

describe('section 2.3: idempotency', () => {
  test(row('2.3 same token, same parameters', 'the same answer, byte for byte'), async () => {
    const first = await service.start({ ClientToken: 'same', Description: 'd' });
    service.clock.ms += 5000;
    const second = await service.start({ ClientToken: 'same', Description: 'd' });
    expect(second.status).toBe(201);
    expect(second.text).toBe(first.text);
  });

  test(row('2.3 same, after the snapshot completed', 'still pending'), async () => {
    const { json } = await service.start({ ClientToken: 'stored' });
    await service.complete(String(json.SnapshotId), { count: 0 });
    expect(await service.stateOf(String(json.SnapshotId))).toBe('completed');
    expect((await service.start({ ClientToken: 'stored' })).json.Status).toBe('pending');
  });

  test(row('2.3 same token, same parameters', 'at the same time'), async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => service.start({ ClientToken: 'together' })),
    );
    expect(new Set(answers.map(({ json }) => json.SnapshotId)).size).toBe(1);
  });

  test(row('2.3 same token, any other parameter', 'a conflict without a Reason'), async () => {
    await service.start({ ClientToken: 'other', Description: 'a' });
    const answer = await service.start({ ClientToken: 'other', Description: 'b' });
    expect(errorOf(answer)).toEqual({
      status: 409,
      type: 'ConflictException',
      family: 'service',
      message: 'Current request does not match request stored with this token.',
    });
    expect(answer.headers.connection).not.toBe('close');
  });

  test(row('2.3 no token on the wire'), async () => {
    const [a, b] = [await service.start(), await service.start()];
    expect(a.json.SnapshotId).not.toBe(b.json.SnapshotId);
  });
});

describe('section 2.4: encryption without a parent', () => {
  const rows: [string, object, string | null, string | null][] = [
    [row('2.4 no parent, Encrypted omitted, key omitted'), {}, null, ANY_KEY],
    [row('2.4 no parent, Encrypted omitted, key given'), { KmsKeyArn: KEY }, KEY, KEY],
    [row('2.4 no parent, Encrypted true, key omitted'), { Encrypted: true }, ANY_KEY, ANY_KEY],
    [
      row('2.4 no parent, Encrypted true, key given'),
      { Encrypted: true, KmsKeyArn: KEY },
      KEY,
      KEY,
    ],
    [row('2.4 no parent, Encrypted false, key omitted'), { Encrypted: false }, null, 'refused'],
  ];

  test.each(rows)('%s', async (_, body, off, on) => {
    expect((await service.start(body)).json.KmsKeyArn).toEqual(off);
    const answer = await withDefaultEncryption.start(body);
    if (on === 'refused') {
      expect(errorOf(answer)).toMatchObject({ status: 400, type: 'ValidationException' });
    } else expect(answer.json.KmsKeyArn).toEqual(on);
  });

  test(row('2.4 no parent, Encrypted false, key given'), async () => {
    const body = { Encrypted: false, KmsKeyArn: KEY };
    expect(errorOf(await service.start(body))).toEqual(
      validation('INVALID_PARAMETER_VALUE', 'Encrypt cannot be false when KmsKeyArn is specified'),
    );
    expect((await withDefaultEncryption.start(body)).status).toBe(400);
  });
});

describe('section 2.4: encryption with a parent', () => {
  test(row('2.4 encrypted parent, nothing given', 'its key; of a plain parent none'), async () => {
    const plain = await service.stored({ 0: 1 });
    const encrypted = await service.stored({ 0: 1 }, { KmsKeyArn: KEY });
    expect((await service.start({ ParentSnapshotId: plain })).json.KmsKeyArn).toBeNull();
    expect((await service.start({ ParentSnapshotId: encrypted })).json.KmsKeyArn).toBe(KEY);
  });

  test.each([true, false])(
    row('2.4 either parent, Encrypted true or false', '%s'),
    async (Encrypted) => {
      const ParentSnapshotId = await service.stored({});
      expect(errorOf(await service.start({ ParentSnapshotId, Encrypted }))).toEqual(
        validation(
          'INVALID_PARAMETER_VALUE',
          'ParentSnapshotId and Encrypt cannot be specified together',
        ),
      );
    },
  );

  test(
    row('2.4 either parent, key given', 'wins over Encrypted and comes before the look-up'),
    async () => {
      const body = { ParentSnapshotId: 'snap-0aaaaaaaaaaaaaaaa', KmsKeyArn: KEY, Encrypted: true };
      expect(errorOf(await service.start(body))).toEqual(
        validation(
          'INVALID_PARAMETER_VALUE',
          'ParentSnapshotId and KmsKeyArn cannot be specified together',
        ),
      );
    },
  );

  test(row('2.4 encrypted parent, nothing given', 'default on'), async () => {
    const ParentSnapshotId = await withDefaultEncryption.stored({}, { KmsKeyArn: KEY });
    const { json } = await withDefaultEncryption.start({ ParentSnapshotId });
    expect(json.KmsKeyArn).toBe(KEY);
  });
});

describe('section 2.4: the account default key, and parents beside a default', () => {
  test.each([
    [row('2.4 account default key', 'the one that was set'), KEY, KEY],
    [row('2.4 account default key', 'else one that stands for alias/aws/ebs'), undefined, ANY_KEY],
  ])('%s', async (_, defaultKmsKeyArn, expected) => {
    const account = await ServiceUnderTest.startAlone(
      defaultKmsKeyArn === undefined ? {} : { defaultKmsKeyArn },
    );
    const { json } = await account.start({ Encrypted: true });
    await account.close();
    expect(json.KmsKeyArn).toEqual(expected);
  });

  test(
    row('2.4 unencrypted parent, nothing given', 'default off: an unencrypted child'),
    async () => {
      const ParentSnapshotId = await service.stored({});
      expect((await service.start({ ParentSnapshotId })).json.KmsKeyArn).toBeNull();
    },
  );

  test(row('2.4 unencrypted parent, nothing given', 'default on: refused'), async () => {
    const account = await ServiceUnderTest.startAlone();
    const ParentSnapshotId = await account.stored({});
    await account.restart({ encryptionByDefault: true });
    const answer = await account.start({ ParentSnapshotId });
    await account.close();
    expect(errorOf(answer)).toMatchObject({ status: 400, type: 'ValidationException' });
  });

  test.each<[string, object]>([
    [row('2.4 either parent, Encrypted true or false', 'default on, true'), { Encrypted: true }],
    [row('2.4 either parent, Encrypted true or false', 'default on, false'), { Encrypted: false }],
    [row('2.4 either parent, key given', 'default on'), { KmsKeyArn: KEY }],
    [row('2.4 either parent, key given', 'with Encrypted'), { KmsKeyArn: KEY, Encrypted: false }],
  ])('%s', async (_, body) => {
    for (const account of [service, withDefaultEncryption]) {
      const ParentSnapshotId = await account.stored({}, { KmsKeyArn: KEY });
      expect(errorOf(await account.start({ ParentSnapshotId, ...body }))).toMatchObject({
        status: 400,
        type: 'ValidationException',
        reason: 'INVALID_PARAMETER_VALUE',
      });
    }
  });

  test.each(['true', 1])(row('2.1 Encrypted', '%j is no boolean'), async (Encrypted) => {
    expect(errorOf(await service.start({ Encrypted }))).toMatchObject({
      status: 400,
      type: 'SerializationException',
    });
  });
});

describe('section 2.3: a token outlives its snapshot', () => {
  test.each<[string, (id: string) => Promise<unknown>]>([
    [
      row('15 token of a timed-out or deleted snapshot', 'timed out'),
      () => Promise.resolve((service.clock.ms += 3_600_000)),
    ],
    [
      row('15 token of a timed-out or deleted snapshot', 'deleted'),
      (SnapshotId) => service.ec2('DeleteSnapshot', { SnapshotId }),
    ],
  ])('%s: still the original answer', async (_, end) => {
    const body = { ClientToken: randomUUID() };
    const { text, json } = await service.start(body);
    await end(String(json.SnapshotId));
    expect((await service.start(body)).text).toBe(text);
  });

  test(row('2.3 same token, any other parameter', 'each of them'), async () => {
    const ParentSnapshotId = await service.stored({});
    const body = { ClientToken: 'each', Description: 'd', Tags: [{ Key: 'k', Value: 'v' }] };
    await service.start(body);
    for (const change of [
      { VolumeSize: 2 },
      { Description: 'e' },
      { Description: undefined },
      { Tags: [{ Key: 'k', Value: 'w' }] },
      { Tags: undefined },
      { Timeout: 61 },
      { Encrypted: true },
      { KmsKeyArn: KEY },
      { ParentSnapshotId },
    ]) {
      expect((await service.start({ ...body, ...change })).status).toBe(409);
    }
    expect((await service.start(body)).status).toBe(201);
    const elsewhere = await service.start(body, { region: 'eu-west-1' });
    expect(elsewhere.status).toBe(201);
  });
});

describe('section 2.5: parents', () => {
  test(row('2.5 parent pending or not yet readable', 'pending'), async () => {
    const id = await service.newSnapshot();
    expect(errorOf(await service.start({ ParentSnapshotId: id }))).toEqual(
      validation('INVALID_SNAPSHOT_ID', `Source snapshot (${id}) is not complete.`),
    );
  });

  test(row('2.5 parent in error, deleted, unknown'), async () => {
    const unknown = 'snap-0fedcba9876543210';
    expect(errorOf(await service.start({ ParentSnapshotId: unknown }))).toEqual(missing(unknown));
    const failed = await service.newSnapshot();
    await service.complete(failed, { count: 7 });
    expect(errorOf(await service.start({ ParentSnapshotId: failed }))).toEqual(missing(failed));
    const deleted = await service.stored({});
    await service.ec2('DeleteSnapshot', { SnapshotId: deleted });
    expect(errorOf(await service.start({ ParentSnapshotId: deleted }))).toEqual(missing(deleted));
  });

  test(row('2.5 the child starts as a full copy; an explicit zero block clears'), async () => {
    const ParentSnapshotId = await service.stored({ 0: 1, 7: 2 });
    const child = await service.stored({ 7: 0 }, { ParentSnapshotId });
    const tokens = await service.tokens(child);
    expect((await service.get(child, 0, tokens.get(0))).body.equals(block(1))).toBe(true);
    expect((await service.get(child, 7, tokens.get(7))).body.equals(block(0))).toBe(true);
  });

  test(row('2.5 parent larger than VolumeSize', 'refused; a larger child is fine'), async () => {
    const ParentSnapshotId = await service.stored({}, { VolumeSize: 2 });
    expect(errorOf(await service.start({ ParentSnapshotId }))).toMatchObject({
      status: 400,
      reason: 'INVALID_VOLUME_SIZE',
    });
    expect((await service.start({ ParentSnapshotId, VolumeSize: 3 })).status).toBe(201);
  });

  test(row('2.5 parent deleted later'), async () => {
    const parent = await service.stored({ 0: 1, 5: 2 });
    const child = await service.stored({ 5: 3 }, { ParentSnapshotId: parent });
    const tokens = await service.tokens(child);
    await service.ec2('DeleteSnapshot', { SnapshotId: parent });
    await service.ebs.settle();
    expect([...(await service.tokens(child)).keys()]).toEqual([0, 5]);
    expect((await service.get(child, 0, tokens.get(0))).body.equals(block(1))).toBe(true);
    expect((await service.get(child, 5, tokens.get(5))).body.equals(block(3))).toBe(true);
    expect(errorOf(await service.list(parent))).toEqual(missing(parent));
  });
});

function matcher({ message }: ExpectedError): unknown {
  return message instanceof RegExp ? expect.stringMatching(message) : message;
}
