import { describe, expect, test } from 'vitest';
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

describe('section 12.1: DescribeSnapshots', () => {
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
  ])('%s', async (_, parameters, expected) => {
    expect(await find(parameters)).toEqual(expected());
  });

  test('pages', async () => {
    const first = await service.ec2('DescribeSnapshots', { MaxResults: '2' });
    const token = /<nextToken>(.*)<\/nextToken>/.exec(first.text)?.[1] ?? '';
    const second = await service.ec2('DescribeSnapshots', { MaxResults: '2', NextToken: token });
    expect(first.text.match(/<snapshotId>/g)).toHaveLength(2);
    expect(second.text.match(/<snapshotId>/g)).toHaveLength(1);
    expect(second.text).not.toContain('nextToken');
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

describe('section 12.1: errors', () => {
  const unknown = 'snap-0fedcba9876543210';

  test.each<[string, string, Record<string, string>, string, string]>([
    [
      'an unknown id',
      'DescribeSnapshots',
      { 'SnapshotId.1': unknown },
      'InvalidSnapshot.NotFound',
      `The snapshot '${unknown}' does not exist.`,
    ],
    [
      'an old id that nobody had',
      'DescribeSnapshots',
      { 'SnapshotId.1': 'snap-01234567' },
      'InvalidSnapshot.NotFound',
      "The snapshot 'snap-01234567' does not exist.",
    ],
    [
      'an id that was never issued, which wins over one not found',
      'DescribeSnapshots',
      { 'SnapshotId.1': unknown, 'SnapshotId.2': 'snap-0123456789abcdef0' },
      'InvalidSnapshotID.Malformed',
      'Invalid id: "snap-0123456789abcdef0"',
    ],
    [
      'an id of zeros',
      'DeleteSnapshot',
      { SnapshotId: 'snap-00000000000000000' },
      'InvalidSnapshotID.Malformed',
      'Invalid id: "snap-00000000000000000"',
    ],
    [
      'upper-case digits',
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

describe('section 12.1: account settings', () => {
  test('encryption by default', async () => {
    const off = await service.ec2('GetEbsEncryptionByDefault');
    const on = await encrypting.ec2('GetEbsEncryptionByDefault');
    expect(off.text).toContain('<ebsEncryptionByDefault>false</ebsEncryptionByDefault>');
    expect(on.text).toContain('<ebsEncryptionByDefault>true</ebsEncryptionByDefault>');
  });

  test('the default key', async () => {
    const { text } = await service.ec2('GetEbsDefaultKmsKeyId');
    expect(text).toContain('<kmsKeyId>alias/aws/ebs</kmsKeyId>');
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
