import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import { ServiceUnderTest } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const encrypting = await ServiceUnderTest.start({ encryptionByDefault: true });

const pending = await service.newSnapshot({ Description: 'nightly-1', VolumeSize: 2 });
const completed = await service.stored({ 0: 1 }, { Tags: [{ Key: 'Name', Value: 'disk one' }] });
const failed = await service.newSnapshot({ Description: 'nightly-2' });
await service.complete(failed, { count: 9 });

async function find(parameters: Record<string, string>): Promise<string[]> {
  const { text } = await service.ec2('DescribeSnapshots', parameters);
  return [...text.matchAll(/<snapshotId>(.*?)<\/snapshotId>/g)].map(([, id]) => String(id)).sort();
}

describe(row('12.1 DescribeSnapshots'), () => {
  const all = [pending, completed, failed].sort();

  test.each<[string, Record<string, string>, () => string[]]>([
    ['everything', {}, () => all],
    ['one id', { 'SnapshotId.1': pending }, () => [pending]],
    ['the same id twice', { 'SnapshotId.1': pending, 'SnapshotId.2': pending }, () => [pending]],
    ['own ones', { 'Owner.1': 'self' }, () => all],
    ['by owner id', { 'Owner.1': '111122223333' }, () => all],
    ['of somebody else', { 'Owner.1': '999999999999' }, () => []],
    ['of amazon', { 'Owner.1': 'amazon' }, () => []],
    ['by status', filter('status', 'completed', 'error'), () => [completed, failed].sort()],
    ['by volume size', filter('volume-size', '2'), () => [pending]],
    ['by description', filter('description', 'nightly-*'), () => [pending, failed].sort()],
    ['by one character', filter('description', 'nightly-?'), () => [pending, failed].sort()],
    ['by a literal star', filter('description', 'nightly-\\*'), () => []],
    ['by tag', filter('tag:Name', 'disk*'), () => [completed]],
    ['by tag key', filter('tag-key', 'Name'), () => [completed]],
    ['by two filters', { ...filter('status', 'error'), ...filter2('volume-size', '2') }, () => []],
    ['by snapshot id', filter('snapshot-id', pending, failed), () => [pending, failed].sort()],
    ['by encryption', filter('encrypted', 'true'), () => []],
    ['by progress', filter('progress', '100%'), () => [completed]],
    ['by volume id', filter('volume-id', 'vol-ffffffff'), () => all],
    ['by owner id filter', filter('owner-id', '1111*'), () => all],
    ['by owner alias', filter('owner-alias', '*'), () => []],
    ['by start time', filter('start-time', '2026-09-25T11:57:*'), () => all],
    ['by tier', filter('storage-tier', 'standard'), () => all],
    ['restorable by oneself', { 'RestorableBy.1': 'self' }, () => all],
    ['restorable by everybody', { 'RestorableBy.1': 'all' }, () => []],
  ])('%s', async (_, parameters, expected) => {
    expect(await find(parameters)).toEqual(expected());
  });

  test('pages', async () => {
    const seven = await ServiceUnderTest.startAlone();
    try {
      const made: string[] = [];
      for (let i = 0; i < 7; i += 1) made.push(await seven.newSnapshot());
      const ask = async (parameters: Record<string, string>): Promise<[string[], string]> => {
        const { text } = await seven.ec2('DescribeSnapshots', parameters);
        const ids = [...text.matchAll(/<snapshotId>(.*?)<\/snapshotId>/g)].map(([, id = '']) => id);
        return [ids, /<nextToken>(.*)<\/nextToken>/.exec(text)?.[1] ?? ''];
      };
      const [first, token] = await ask({ MaxResults: '5' });
      const [second, end] = await ask({ MaxResults: '5', NextToken: token });
      const [rest] = await ask({ NextToken: token });
      expect([first.length, second.length, end]).toEqual([5, 2, '']);
      expect([...first, ...second]).toEqual(made.sort());
      expect(rest).toEqual(second);
    } finally {
      await seven.close();
    }
  });

  test('another region has none', async () => {
    const { text } = await service.send({
      method: 'POST',
      path: '/',
      service: 'ec2',
      region: 'eu-west-1',
      body: 'Action=DescribeSnapshots&Version=2016-11-15',
    });
    expect(text).toContain('<snapshotSet/>');
  });
});

describe(row('12.1 form of an EC2 error'), () => {
  const unknown = 'snap-0fedcba9876543210';

  test.each<[string, string, Record<string, string>, string, string]>([
    [
      row('12.1 InvalidSnapshot.NotFound', 'an unknown id'),
      'DescribeSnapshots',
      { 'SnapshotId.1': unknown },
      'InvalidSnapshot.NotFound',
      `The snapshot '${unknown}' does not exist.`,
    ],
    [
      row('12.1 InvalidSnapshot.NotFound', 'an old id that nobody had'),
      'DescribeSnapshots',
      { 'SnapshotId.1': 'snap-01234567' },
      'InvalidSnapshot.NotFound',
      "The snapshot 'snap-01234567' does not exist.",
    ],
    [
      row('12.1 InvalidSnapshotID.Malformed', 'which wins over one not found'),
      'DescribeSnapshots',
      { 'SnapshotId.1': unknown, 'SnapshotId.2': 'snap-0123456789abcdef0' },
      'InvalidSnapshotID.Malformed',
      'Invalid id: "snap-0123456789abcdef0"',
    ],
    [
      row('12.1 InvalidSnapshotID.Malformed', 'an id of zeros'),
      'DeleteSnapshot',
      { SnapshotId: 'snap-00000000000000000' },
      'InvalidSnapshotID.Malformed',
      'Invalid id: "snap-00000000000000000"',
    ],
    [
      row('12.1 InvalidParameterValue', 'upper-case digits'),
      'DescribeSnapshots',
      { 'SnapshotId.1': 'snap-0400DC0123456789A' },
      'InvalidParameterValue',
      "Value (snap-0400DC0123456789A) for parameter snapshotId is invalid. Expected: 'snap-...'.",
    ],
    [
      'a filter that is not known',
      'DescribeSnapshots',
      filter('colour', 'red'),
      'InvalidParameterValue',
      "The filter 'colour' is invalid",
    ],
    [
      'a filter named as something that every object has',
      'DescribeSnapshots',
      filter('constructor', 'x'),
      'InvalidParameterValue',
      "The filter 'constructor' is invalid",
    ],
    [
      'pages of ids',
      'DescribeSnapshots',
      { 'SnapshotId.1': unknown, MaxResults: '5' },
      'InvalidParameterCombination',
      'The parameter snapshotIds cannot be used with the parameter maxResults',
    ],
    [
      'pages below five',
      'DescribeSnapshots',
      { MaxResults: '4' },
      'InvalidParameterValue',
      'Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5.',
    ],
    [
      'a page token that was never given',
      'DescribeSnapshots',
      { NextToken: '!!' },
      'InvalidNextToken',
      'The specified NextToken is not valid.',
    ],
    [
      'an owner that is no account',
      'DescribeSnapshots',
      { 'Owner.1': 'me' },
      'InvalidUserID.Malformed',
      'Invalid user id: "me"',
    ],
    [
      'nothing to delete',
      'DeleteSnapshot',
      {},
      'MissingParameter',
      'The request must contain the parameter SnapshotId',
    ],
    [
      'an action that is not known',
      'RunInstances',
      {},
      'InvalidAction',
      'The action RunInstances is not valid for this web service.',
    ],
  ])('%s', async (_, action, parameters, code, message) => {
    const { status, text, headers } = await service.ec2(action, parameters);
    expect(status).toBe(400);
    expect(headers.connection).toBe('close');
    expect(text.replace(/<RequestID>[0-9a-f-]{36}</, '<RequestID>R<')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors>` +
        '<RequestID>R</RequestID></Response>',
    );
  });

  test('a wrong key is an AuthFailure', async () => {
    const { status, text } = await service.send({
      method: 'POST',
      path: '/',
      service: 'ec2',
      credentials: { accessKeyId: 'other', secretAccessKey: 'other' },
      body: 'Action=DescribeSnapshots&Version=2016-11-15',
    });
    expect(status).toBe(401);
    expect(text).toContain('<Code>AuthFailure</Code>');
  });
});

describe('account settings', () => {
  test(row('12.1 GetEbsEncryptionByDefault'), async () => {
    const off = await service.ec2('GetEbsEncryptionByDefault');
    const on = await encrypting.ec2('GetEbsEncryptionByDefault');
    expect(off.text).toContain('<ebsEncryptionByDefault>false</ebsEncryptionByDefault>');
    expect(on.text).toContain('<ebsEncryptionByDefault>true</ebsEncryptionByDefault>');
  });

  test(row('12.1 GetEbsDefaultKmsKeyId'), async () => {
    const { text } = await service.ec2('GetEbsDefaultKmsKeyId');
    expect(text).toContain('<kmsKeyId>alias/aws/ebs</kmsKeyId>');
  });

  test('changed settings hold for the snapshots that are started after', async () => {
    const account = await ServiceUnderTest.startAlone();
    try {
      const key = '01234567-89ab-cdef-0123-456789abcdef';
      const arn = `arn:aws:kms:us-east-1:111122223333:key/${key}`;
      const keyOf = async (): Promise<unknown> => (await account.start()).json.KmsKeyArn;
      const expectKey = async (action: string, name: string, parameters = {}): Promise<void> => {
        const { text } = await account.ec2(action, parameters);
        expect(text).toContain(`<kmsKeyId>${name}</kmsKeyId>`);
      };
      await expectKey('ModifyEbsDefaultKmsKeyId', arn, { KmsKeyId: key });
      await expectKey('GetEbsDefaultKmsKeyId', arn);
      expect(await keyOf()).toBeNull();
      const { text } = await account.ec2('EnableEbsEncryptionByDefault');
      expect(text).toContain('<ebsEncryptionByDefault>true</ebsEncryptionByDefault>');
      expect(await keyOf()).toBe(arn);
      await expectKey('ResetEbsDefaultKmsKeyId', 'alias/aws/ebs');
      expect(await keyOf()).toMatch(/^arn:aws:kms:us-east-1:111122223333:key\/(?!01234567)/);
      await account.ec2('DisableEbsEncryptionByDefault');
      expect(await keyOf()).toBeNull();
      const elsewhere = await account.start({}, { region: 'eu-west-1' });
      expect(elsewhere.json.KmsKeyArn).toBeNull();
      const wrong = await account.ec2('ModifyEbsDefaultKmsKeyId', { KmsKeyId: 'alias/mine' });
      expect(wrong.text).toContain('<Code>InvalidParameterValue</Code>');
    } finally {
      await account.close();
    }
  });
});

function filter(name: string, ...values: string[]): Record<string, string> {
  return {
    'Filter.1.Name': name,
    ...Object.fromEntries(values.map((value, i) => [`Filter.1.Value.${i + 1}`, value])),
  };
}

function filter2(name: string, value: string): Record<string, string> {
  return { 'Filter.2.Name': name, 'Filter.2.Value.1': value };
}
