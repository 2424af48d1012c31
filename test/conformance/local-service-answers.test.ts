import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import { block, errorOf, ServiceUnderTest, type RawAnswer } from './local-service-client.ts';

/** What every answer has in common: section 1, over one answer of each operation and of each kind of error. */
const service = await ServiceUnderTest.start();
const open = await service.newSnapshot();
const parent = await service.stored({ 4: 1 });
const child = await service.stored({ 4: 2 }, { ParentSnapshotId: parent });
const token = (await service.tokens(child)).get(4);
const UNKNOWN = 'snap-0fedcba9876543210';

const answers = {
  StartSnapshot: await service.start({ Tags: [{ Key: 'k', Value: 'v' }] }),
  PutSnapshotBlock: await service.put({ snapshotId: open, index: 0 }),
  ListSnapshotBlocks: await service.list(child),
  ListChangedBlocks: await service.changed(parent, child),
  GetSnapshotBlock: await service.get(child, 4, token),
  CompleteSnapshot: await service.complete(open, { count: 1 }),
  'business rule': await service.list(child, { pageToken: 'nonsense' }),
  constraint: await service.list(child, { maxResults: '1' }),
  framework: await service.send({ method: 'GET', path: '/nothing' }),
  missing: await service.list(UNKNOWN),
} satisfies Record<string, RawAnswer>;
type AnswerName = keyof typeof answers;

describe('sections 1.2 and 2.2 to 6: an answer byte for byte', () => {
  test.each<[string, AnswerName, number, string]>([
    [
      row('1.2 StartSnapshot: POST /snapshots, 201'),
      'StartSnapshot',
      201,
      '{"BlockSize":524288,"Description":null,"KmsKeyArn":null,"OwnerId":"111122223333",' +
        '"ParentSnapshotId":null,"SnapshotId":"ID","SseType":null,"StartTime":1.79033744057E9,' +
        '"Status":"pending","Tags":[{"Key":"k","Value":"v"}],"VolumeSize":1}',
    ],
    [row('1.2 PutSnapshotBlock: PUT .../blocks/{BlockIndex}, 201'), 'PutSnapshotBlock', 201, '{}'],
    [
      row('1.2 CompleteSnapshot: POST /snapshots/completion/{SnapshotId}, 202'),
      'CompleteSnapshot',
      202,
      '{"Status":"pending"}',
    ],
    [
      row('1.2 ListSnapshotBlocks: GET .../blocks, 200'),
      'ListSnapshotBlocks',
      200,
      '{"BlockSize":524288,"Blocks":[{"BlockIndex":4,"BlockToken":"TOKEN"}],' +
        '"ExpiryTime":1.79094224057E9,"NextToken":null,"VolumeSize":1}',
    ],
    [
      row('1.2 ListChangedBlocks: GET .../changedblocks, 200'),
      'ListChangedBlocks',
      200,
      '{"BlockSize":524288,"ChangedBlocks":[{"BlockIndex":4,"FirstBlockToken":"TOKEN",' +
        '"SecondBlockToken":"TOKEN"}],"ExpiryTime":1.79094224057E9,"LastEvaluatedBlockIndex":null,' +
        '"NextToken":null,"VolumeSize":1}',
    ],
    [
      row('1.2 GetSnapshotBlock: GET .../blocks/{BlockIndex}, 200'),
      'GetSnapshotBlock',
      200,
      block(2).toString(),
    ],
    [row('1.3 success with body {}'), 'PutSnapshotBlock', 201, '{}'],
    [
      row('1.4 service error: Message and Reason'),
      'business rule',
      400,
      '{"Message":"The pagination token nonsense is invalid.","Reason":"INVALID_PAGE_TOKEN"}',
    ],
    [
      row('1.4 constraint error: message alone'),
      'constraint',
      400,
      "{\"message\":\"1 validation error detected: Value '1' at 'maxResults' failed to satisfy " +
        'constraint: Member must have value greater than or equal to 100"}',
    ],
    [
      row('1.4 framework error: message alone'),
      'framework',
      404,
      '{"message":"No operation has this method and path."}',
    ],
  ])('%s', (_, name, status, text) => {
    const answer = answers[name];
    expect([answer.status, anonymous(answer.text)]).toEqual([status, text]);
  });
});

describe('section 1.3: what every answer has', () => {
  test.each<[string, (answer: RawAnswer, name: AnswerName) => void]>([
    [
      row('1.1 protocol: REST-JSON over HTTP/1.1'),
      ({ httpVersion }) => expect(httpVersion).toBe('1.1'),
    ],
    [
      row('1.3 Content-Type'),
      ({ headers }, name) =>
        expect(headers['content-type']).toBe(
          name === 'GetSnapshotBlock' ? 'application/octet-stream' : 'application/json',
        ),
    ],
    [
      row('1.3 Content-Length, never chunked'),
      ({ headers, body }) => {
        expect(headers['content-length']).toBe(String(body.length));
        expect(headers['transfer-encoding']).toBeUndefined();
      },
    ],
    [
      row('1.3 request id', 'a lower-case UUID'),
      ({ headers, headerNames }) => {
        expect(headerNames).toContain('x-amzn-RequestId');
        expect(headers['x-amzn-requestid']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      },
    ],
    [
      row('1.3 Date'),
      ({ headers }) => expect(headers.date).toBe(new Date(headers.date ?? '').toUTCString()),
    ],
    [row('1.3 no Server header'), ({ headers }) => expect(headers.server).toBeUndefined()],
    [
      row('1.3 keep-alive, closed by every 400'),
      ({ status, headers }) => expect(headers.connection === 'close').toBe(status === 400),
    ],
    [
      row('1.3 key order', 'alphabetical, also inside lists'),
      ({ json }) => expect(unsortedKeys(json)).toEqual([]),
    ],
    [
      row('1.3 integers'),
      ({ text }, name) => {
        if (name === 'GetSnapshotBlock') return;
        expect(text).not.toMatch(/"(BlockIndex|BlockSize|VolumeSize)":(?!\d+[,}])/);
      },
    ],
    [
      row('1.3 timestamps in exponent form'),
      ({ text }, name) => {
        if (name === 'GetSnapshotBlock') return;
        expect(text).not.toMatch(/"(StartTime|ExpiryTime)":(?!\d\.\d*[1-9]E9[,}])/);
      },
    ],
  ])('%s', (_, check) => {
    for (const [name, answer] of Object.entries(answers)) check(answer, name as AnswerName);
  });

  test('each answer has a request id of its own', () => {
    const ids = Object.values(answers).map(({ headers }) => headers['x-amzn-requestid']);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('section 1.4: the grammar of constraint errors', () => {
  const failed = 'failed to satisfy constraint: Member must';
  test.each<[string, () => Promise<RawAnswer>, string]>([
    [
      row('1.4 constraint grammar', 'not null'),
      () => service.start({ VolumeSize: null }),
      `1 validation error detected: Value null at 'volumeSize' ${failed} not be null`,
    ],
    [
      row('1.4 constraint grammar', 'at least'),
      () => service.list(child, { maxResults: '99' }),
      `1 validation error detected: Value '99' at 'maxResults' ${failed} have value greater than or equal to 100`,
    ],
    [
      row('1.4 constraint grammar', 'at most'),
      () => service.list(child, { maxResults: '10001' }),
      `1 validation error detected: Value '10001' at 'maxResults' ${failed} have value less than or equal to 10000`,
    ],
    [
      row('1.4 constraint grammar', 'length'),
      () => service.list(child, { pageToken: 'x'.repeat(257) }),
      `1 validation error detected: Value '${'x'.repeat(257)}' at 'nextToken' ${failed} have length less than or equal to 256`,
    ],
    [
      row('1.4 constraint grammar', 'pattern'),
      () => service.get(child, 4, 'a b'),
      `1 validation error detected: Value 'a b' at 'blockToken' ${failed} satisfy regular expression pattern: ^[A-Za-z0-9+/=_-]+$`,
    ],
    [
      row('1.4 constraint grammar', 'enum'),
      () => service.complete(parent, { count: 0, algorithm: 'sha256' }),
      `1 validation error detected: Value 'sha256' at 'checksumAlgorithm' ${failed} satisfy enum value set: [SHA256]`,
    ],
    [
      row('1.4 several violations at once', 'of one member'),
      () => service.get(child, 4, `${'x'.repeat(256)} `),
      `2 validation errors detected: Value '${'x'.repeat(256)} ' at 'blockToken' ${failed} have length less than or equal to 256; ` +
        `Value '${'x'.repeat(256)} ' at 'blockToken' ${failed} satisfy regular expression pattern: ^[A-Za-z0-9+/=_-]+$`,
    ],
    [
      row('1.4 several violations at once', 'of four members'),
      () =>
        service.put({
          snapshotId: 'x',
          index: -1,
          headers: { 'x-amz-data-length': '', 'x-amz-progress': '101' },
        }),
      `4 validation errors detected: Value 'x' at 'snapshotId' ${failed} satisfy regular expression pattern: ^snap-[0-9a-f]+$; ` +
        `Value '-1' at 'blockIndex' ${failed} have value greater than or equal to 0; ` +
        `Value null at 'dataLength' ${failed} not be null; ` +
        `Value '101' at 'progress' ${failed} have value less than or equal to 100`,
    ],
  ])('%s', async (_, send, message) => {
    expect(errorOf(await send())).toEqual({
      status: 400,
      type: 'ValidationException',
      family: 'constraint',
      message,
    });
  });
});

describe('section 1.5: error types', () => {
  const NAMESPACE = ':http://internal.amazon.com/coral/com.amazon.zeppelindataservice/';

  test.each<[string, () => Promise<RawAnswer>, number, string, string | undefined]>([
    [
      row('1.5 ValidationException, 400'),
      () => service.list(child, { pageToken: 'nonsense' }),
      400,
      'ValidationException',
      'INVALID_PAGE_TOKEN',
    ],
    [
      row('1.5 ResourceNotFoundException, 404'),
      () => service.list(UNKNOWN),
      404,
      'ResourceNotFoundException',
      'SNAPSHOT_NOT_FOUND',
    ],
    [
      row('1.5 ConflictException, 409', 'without a Reason'),
      async () => {
        await service.start({ ClientToken: 'conflict' });
        return service.start({ ClientToken: 'conflict', VolumeSize: 2 });
      },
      409,
      'ConflictException',
      undefined,
    ],
    ...(
      [
        [
          row('1.5 RequestThrottledException, 400'),
          400,
          'RequestThrottledException',
          'ACCOUNT_THROTTLED',
        ],
        [row('1.5 ThrottlingException, 400'), 400, 'ThrottlingException', undefined],
        [
          row('1.5 ConcurrentLimitExceededException, 400'),
          400,
          'ConcurrentLimitExceededException',
          undefined,
        ],
        [
          row('1.5 ServiceQuotaExceededException, 402'),
          402,
          'ServiceQuotaExceededException',
          'DEPENDENCY_SERVICE_QUOTA_EXCEEDED',
        ],
        [row('1.5 AccessDeniedException, 403'), 403, 'AccessDeniedException', undefined],
        [row('1.5 InternalServerException, 500'), 500, 'InternalServerException', undefined],
      ] as const
    ).map(
      ([title, status, type, reason]): [
        string,
        () => Promise<RawAnswer>,
        number,
        string,
        string | undefined,
      ] => [
        `${title}, on demand`,
        () => {
          const fault = { status, type, ...(reason === undefined ? {} : { reason }) };
          service.ebs.inject({ operation: 'ListSnapshotBlocks', fault });
          return service.list(child);
        },
        status,
        type,
        reason,
      ],
    ),
  ])('%s', async (_, send, status, type, reason) => {
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(answer.headers['x-amzn-errortype']).toBe(`${type}${NAMESPACE}`);
    expect(answer.json.Reason).toBe(reason);
    expect(answer.json.Message).toEqual(expect.any(String));
    expect(answer.headers.connection === 'close').toBe(status === 400);
  });

  test(
    row('1.5 InvalidSignatureException, 403', 'of the framework, and not in the model'),
    async () => {
      const answer = await service.send({
        method: 'GET',
        path: `/snapshots/${child}/blocks`,
        credentials: { accessKeyId: 'local', secretAccessKey: 'other' },
      });
      expect(answer.headers['x-amzn-errortype']).toBe(
        'InvalidSignatureException:http://internal.amazon.com/coral/com.amazon.coral.service/',
      );
      expect(Object.keys(answer.json)).toEqual(['message']);
    },
  );

  test.each<[string, Record<string, string>, number]>([
    ['MissingAuthenticationTokenException', { authorization: '' }, 403],
    ['IncompleteSignatureException', { authorization: 'AWS4-HMAC-SHA256 x' }, 400],
    [
      'UnrecognizedClientException',
      {
        authorization:
          'AWS4-HMAC-SHA256 Credential=other/20260101/us-east-1/ebs/aws4_request, ' +
          `SignedHeaders=host, Signature=${'0'.repeat(64)}`,
      },
      403,
    ],
  ])(row('1.5 framework errors common to all services', '%s'), async (type, headers, status) => {
    const answer = await service.sendRaw({ method: 'GET', path: '/snapshots/x/blocks', headers });
    expect(errorOf(answer)).toMatchObject({ status, type, family: 'framework' });
    expect(answer.headers.connection === 'close').toBe(status === 400);
  });
});

/** An answer's text without what differs from run to run. */
function anonymous(text: string): string {
  return text.replace(/snap-0[0-9a-f]{16}/g, 'ID').replace(/AlM[BD][\w-]{91,107}/g, 'TOKEN');
}

/** The keys of `value`, and of all inside it, that come after a greater one. */
function unsortedKeys(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const keys = Array.isArray(value) ? [] : Object.keys(value);
  const unsorted = keys.filter((key, i) => i > 0 && key < (keys[i - 1] ?? ''));
  return [...unsorted, ...Object.values(value).flatMap(unsortedKeys)];
}
