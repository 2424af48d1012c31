import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import { ServiceUnderTest, type RawAnswer, type RawRequest } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
const EC2_OPENING =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ACTIONResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' +
  '<requestId>ID</requestId>';

/** The text of an answer without what differs from call to call. */
function stable({ text }: RawAnswer): string {
  return text.replace(/(<(request|Request)I[dD]>)[0-9A-Fa-f-]+/g, '$1ID');
}

function sts(action: string, request: Partial<RawRequest> = {}): Promise<RawAnswer> {
  return service.send({
    method: 'POST',
    path: '/',
    service: 'sts',
    headers: FORM,
    body: `Action=${action}&Version=2011-06-15`,
    ...request,
  });
}

function s3(method: string, path: string, request: Partial<RawRequest> = {}): Promise<RawAnswer> {
  return service.send({ method, path, service: 's3', ...request });
}

describe(row('12.1 form of an EC2 answer'), () => {
  test('has the headers and the opening of the service', async () => {
    const answer = await service.ec2('GetEbsEncryptionByDefault');
    expect(answer.headers).toMatchObject({
      'content-type': 'text/xml;charset=UTF-8',
      'cache-control': 'no-cache, no-store',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      server: 'AmazonEC2',
      'x-amzn-requestid': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    expect(stable(answer)).toBe(
      EC2_OPENING.replace('ACTION', 'GetEbsEncryptionByDefault') +
        '<ebsEncryptionByDefault>false</ebsEncryptionByDefault></GetEbsEncryptionByDefaultResponse>',
    );
  });

  test(row('12.1 DeleteSnapshot', 'DryRun changes nothing'), async () => {
    const id = await service.newSnapshot();
    const { status, text } = await service.ec2('DeleteSnapshot', {
      SnapshotId: id,
      DryRun: 'true',
    });
    expect(status).toBe(412);
    expect(text).toContain('<Code>DryRunOperation</Code>');
    expect(await service.stateOf(id)).toBe('pending');
  });
});

describe(row('12.1 tags'), () => {
  async function tagsOf(id: string): Promise<Record<string, string>> {
    const { text } = await service.ec2('DescribeSnapshots', { 'SnapshotId.1': id });
    const pairs = text.matchAll(/<item><key>(.*?)<\/key>(?:<value>(.*?)<\/value>|<value\/>)/g);
    return Object.fromEntries([...pairs].map(([, key = '', value = '']) => [key, value]));
  }

  const tag = (n: number, key: string, value?: string): Record<string, string> => ({
    [`Tag.${n}.Key`]: key,
    ...(value === undefined ? {} : { [`Tag.${n}.Value`]: value }),
  });

  test('are added to all resources, and overwritten', async () => {
    const one = await service.newSnapshot({ Tags: [{ Key: 'a', Value: 'old' }] });
    const two = await service.newSnapshot();
    const answer = await service.ec2('CreateTags', {
      'ResourceId.1': one,
      'ResourceId.2': two,
      ...tag(1, 'a', 'new'),
      ...tag(2, 'b'),
    });
    expect(stable(answer)).toBe(
      `${EC2_OPENING.replace('ACTION', 'CreateTags')}<return>true</return></CreateTagsResponse>`,
    );
    expect(await tagsOf(one)).toEqual({ a: 'new', b: '' });
    expect(await tagsOf(two)).toEqual({ a: 'new', b: '' });
  });

  test('are deleted by key, by key and value, and all at once', async () => {
    const Tags = ['a', 'b', 'c', 'd'].map((Key) => ({ Key, Value: Key }));
    const id = await service.newSnapshot({ Tags });
    const remove = (tags: Record<string, string>): Promise<RawAnswer> =>
      service.ec2('DeleteTags', { 'ResourceId.1': id, ...tags });
    await remove({ ...tag(1, 'a'), ...tag(2, 'b', 'b'), ...tag(3, 'c', 'other'), ...tag(4, 'x') });
    expect(await tagsOf(id)).toEqual({ c: 'c', d: 'd' });
    await remove({});
    expect(await tagsOf(id)).toEqual({});
  });

  test('outlive a restart of the service', async () => {
    const first = await ServiceUnderTest.startAlone();
    const { directory } = first.ebs;
    const id = await first.newSnapshot();
    await first.ec2('CreateTags', { 'ResourceId.1': id, ...tag(1, 'kept', 'yes') });
    await first.ebs.close();
    const second = await ServiceUnderTest.startAlone({ directory });
    const { text } = await second.ec2('DescribeTags');
    await second.close();
    expect(text).toContain(`<resourceId>${id}</resourceId>`);
    expect(text).toContain('<key>kept</key><value>yes</value>');
  });

  test('are described by filter', async () => {
    const id = await service.newSnapshot({ Tags: [{ Key: 'only', Value: 'one & <two>' }] });
    const answer = await service.ec2('DescribeTags', {
      'Filter.1.Name': 'resource-id',
      'Filter.1.Value.1': id,
      'Filter.2.Name': 'tag:only',
      'Filter.2.Value.1': 'one*',
    });
    expect(stable(answer)).toBe(
      EC2_OPENING.replace('ACTION', 'DescribeTags') +
        `<tagSet><item><resourceId>${id}</resourceId><resourceType>snapshot</resourceType>` +
        '<key>only</key><value>one &amp; &lt;two&gt;</value></item></tagSet></DescribeTagsResponse>',
    );
  });

  const unknown = 'snap-0fedcba9876543210';
  const fifty = Array.from({ length: 50 }, (_, i) => tag(i + 1, `t${i}`));

  test.each<[string, Record<string, string>, string]>([
    ['no resource', tag(1, 'a', 'b'), 'MissingParameter'],
    ['no tag', { 'ResourceId.1': 'ID' }, 'MissingParameter'],
    ['something that is no snapshot', { 'ResourceId.1': 'x', ...tag(1, 'a') }, 'InvalidID'],
    [
      'a snapshot of nobody',
      { 'ResourceId.1': unknown, ...tag(1, 'a') },
      'InvalidSnapshot.NotFound',
    ],
    ['a reserved key', { 'ResourceId.1': 'ID', ...tag(1, 'aws:x', 'y') }, 'InvalidParameterValue'],
    ['an empty key', { 'ResourceId.1': 'ID', ...tag(1, '', 'y') }, 'InvalidParameterValue'],
    [
      'a long value',
      { 'ResourceId.1': 'ID', ...tag(1, 'k', 'y'.repeat(257)) },
      'InvalidParameterValue',
    ],
    [
      'more than fifty',
      Object.fromEntries([['ResourceId.1', 'ID'], ...fifty.flatMap(Object.entries<string>)]),
      'TagLimitExceeded',
    ],
  ])('refuses %s and changes nothing', async (_, parameters, code) => {
    const id = await service.newSnapshot({ Tags: [{ Key: 'here', Value: 'before' }] });
    const named = Object.entries(parameters).map(([k, v]) => [k, v === 'ID' ? id : v] as const);
    const { status, text } = await service.ec2('CreateTags', Object.fromEntries(named));
    expect(status).toBe(400);
    expect(text).toContain(`<Code>${code}</Code>`);
    expect(await tagsOf(id)).toEqual({ here: 'before' });
  });
});

describe(row('12.1 DescribeRegions'), () => {
  async function names(parameters: Record<string, string>, region?: string): Promise<string[]> {
    const body = new URLSearchParams({
      Action: 'DescribeRegions',
      Version: '2016-11-15',
      ...parameters,
    }).toString();
    const { text } = await service.send({
      method: 'POST',
      path: '/',
      service: 'ec2',
      headers: FORM,
      body,
      ...(region === undefined ? {} : { region }),
    });
    return [...text.matchAll(/<regionName>(.*?)</g)].map(([, name = '']) => name);
  }

  test('writes one as the service does', async () => {
    const answer = await service.ec2('DescribeRegions', { 'RegionName.1': 'us-east-1' });
    expect(stable(answer)).toBe(
      EC2_OPENING.replace('ACTION', 'DescribeRegions') +
        '<regionInfo><item><regionName>us-east-1</regionName>' +
        '<regionEndpoint>ec2.us-east-1.amazonaws.com</regionEndpoint>' +
        '<optInStatus>opt-in-not-required</optInStatus></item></regionInfo></DescribeRegionsResponse>',
    );
  });

  test('has the region that is asked, whatever its name', async () => {
    expect(await names({})).toContain('us-east-1');
    expect(await names({}, 'mars-north-1')).toContain('mars-north-1');
    expect(await names({}, 'me-south-1')).toContain('me-south-1');
  });

  test('leaves out regions that were not opted in to, unless all are wanted', async () => {
    expect(await names({})).not.toContain('me-south-1');
    expect(await names({ AllRegions: 'true' })).toContain('me-south-1');
    const filter = { 'Filter.1.Name': 'region-name', 'Filter.1.Value.1': 'eu-west-?' };
    expect(await names(filter)).toEqual(['eu-west-1', 'eu-west-2', 'eu-west-3']);
  });

  test('refuses a region that is not there', async () => {
    const { text } = await service.ec2('DescribeRegions', { 'RegionName.1': 'us-east-9' });
    expect(text).toContain('<Code>InvalidParameterValue</Code>');
  });
});

describe('STS', () => {
  test(row('12.2 GetCallerIdentity'), async () => {
    const answer = await sts('GetCallerIdentity');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/xml');
    expect(stable(answer)).toBe(
      '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
        '<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/local</Arn>' +
        '<UserId>AIDALOCALEBSSERVICE00</UserId><Account>111122223333</Account></GetCallerIdentityResult>' +
        '<ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetCallerIdentityResponse>',
    );
  });

  test.each<[string, () => Promise<RawAnswer>, number, string]>([
    ['an action that is not known', () => sts('AssumeRole'), 400, 'InvalidAction'],
    [
      'a wrong key',
      () => sts('GetCallerIdentity', { credentials: { accessKeyId: 'x', secretAccessKey: 'x' } }),
      403,
      'InvalidClientTokenId',
    ],
    [
      'a wrong secret',
      () =>
        sts('GetCallerIdentity', {
          credentials: { ...service.ebs.credentials, secretAccessKey: 'x' },
        }),
      403,
      'SignatureDoesNotMatch',
    ],
  ])(row('12.2 form of an STS error', '%s'), async (_, ask, status, code) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(stable(answer)).toMatch(
      new RegExp(
        '^<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>' +
          `<Code>${code}</Code><Message>[^<]+</Message></Error><RequestId>ID</RequestId></ErrorResponse>$`,
      ),
    );
  });
});

describe('S3', () => {
  test(row('12.3 ListBuckets'), async () => {
    const answer = await s3('GET', '/');
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/xml',
      'x-amz-request-id': expect.stringMatching(/^[0-9A-F]{16}$/) as string,
      'x-amz-id-2': expect.any(String) as string,
    });
    expect(answer.text).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<ListAllMyBucketsResult xmlns="http:\/\/s3\.amazonaws\.com\/doc\/2006-03-01\/"><Owner><ID>[0-9a-f]{64}<\/ID><\/Owner><Buckets\/><\/ListAllMyBucketsResult>$/,
    );
  });

  test.each<[string, () => Promise<RawAnswer>, number, string]>([
    ['a bucket', () => s3('GET', '/bucket'), 404, 'NoSuchBucket'],
    ['an object', () => s3('GET', '/bucket/object'), 404, 'NoSuchBucket'],
    ['a new bucket', () => s3('PUT', '/bucket'), 501, 'NotImplemented'],
    [
      'a wrong key',
      () => s3('GET', '/', { credentials: { accessKeyId: 'x', secretAccessKey: 'x' } }),
      403,
      'InvalidAccessKeyId',
    ],
  ])(row('12.3 form of an S3 error', '%s'), async (_, ask, status, code) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(stable(answer)).toMatch(
      new RegExp(
        '^<\\?xml version="1.0" encoding="UTF-8"\\?>\\n<Error><Code>' +
          `${code}</Code><Message>[^<]+</Message><RequestId>ID</RequestId></Error>$`,
      ),
    );
  });

  test('HEAD of a bucket has the status alone', async () => {
    const { status, text } = await s3('HEAD', '/bucket');
    expect([status, text]).toEqual([404, '']);
  });
});

describe(row('12 which service is meant'), () => {
  test.each<[string, string, string, string]>([
    ['POST', '/', 'text/xml;charset=UTF-8', '<Code>AuthFailure</Code>'],
    ['GET', '/', 'application/xml', '<Code>AccessDenied</Code>'],
    ['GET', '/snapshots', 'application/json', 'Missing Authentication Token'],
    ['GET', '/?x-id=ListBuckets', 'application/xml', '<Code>AccessDenied</Code>'],
  ])('an unsigned %s %s is refused as by its service', async (method, path, type, text) => {
    const answer = await service.sendRaw({ method, path });
    expect(answer.headers['content-type']).toBe(type);
    expect(answer.text).toContain(text);
  });

  test('the history names the operations of all', async () => {
    await s3('GET', '/');
    await sts('GetCallerIdentity');
    await service.ec2('CreateTags');
    const operations = service.ebs.history().map(({ operation }) => operation);
    expect(operations.slice(-3)).toEqual(['ListBuckets', 'GetCallerIdentity', 'CreateTags']);
  });

  test('names that clients make up are not kept', async () => {
    await service.ec2('Whatever');
    expect(service.ebs.history().at(-1)?.operation).toBe('Unknown');
    expect(service.ebs.counters().byOperation).not.toHaveProperty('Whatever');
  });

  test('an absolute request target means the same as its path', async () => {
    const id = await service.stored({ 3: 1 });
    const absolute = `${service.ebs.endpoint}/snapshots/${id}/blocks`;
    const signed = await service.list(id);
    const sent = await service.send({
      method: 'GET',
      path: `/snapshots/${id}/blocks`,
      wirePath: absolute,
    });
    expect(sent.status).toBe(200);
    expect(sent.json.VolumeSize).toBe(signed.json.VolumeSize);
  });
});
