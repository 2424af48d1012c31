import { Hash } from '@smithy/core/serde';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  authorization,
  canonicalQuery,
  canonicalValue,
  deriveDayKey,
  percentEncode,
} from '../../../src/transport/sigv4.ts';

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

interface Vector {
  readonly method?: string;
  readonly path?: string;
  readonly query?: readonly (readonly [string, string])[];
  readonly service?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly signature: string;
}

// AWS Signature Version 4 test suite, and the worked example of the IAM user guide ("iam").
const VECTORS: Readonly<Record<string, Vector>> = {
  'get-vanilla': {
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'post-vanilla': {
    method: 'POST',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  'get-vanilla-query-order-key-case': {
    query: [
      ['Param2', 'value2'],
      ['Param1', 'value1'],
    ],
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  'get-slashes': {
    path: '//example//',
    signature: '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
  },
  'get-relative-relative': {
    path: '/example1/example2/../..',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'get-header-value-trim': {
    headers: [
      ['my-header1', ' value1'],
      ['my-header2', ' "a   b   c"'],
    ],
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  iam: {
    query: [
      ['Action', 'ListUsers'],
      ['Version', '2010-05-08'],
    ],
    service: 'iam',
    headers: [
      ['host', 'iam.amazonaws.com'],
      ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
    ],
    signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  },
};

describe('the published vector', () => {
  test.each(Object.entries(VECTORS))('%s', (_name, vector) => {
    const { method = 'GET', path = '/', query = [], service = 'service', headers = [] } = vector;
    const all = new Map([
      ['host', 'example.amazonaws.com'],
      ['x-amz-date', '20150830T123600Z'],
      ...headers,
    ]);
    const day = deriveDayKey({ ...CREDENTIALS, region: 'us-east-1', service }, '20150830');
    const value = authorization(day, {
      method,
      path,
      query: canonicalQuery(query),
      headers: [...all].map(([name, text]) => [name, canonicalValue(text)] as const).sort(),
      payloadHash: EMPTY,
      dateTime: '20150830T123600Z',
    });
    const names = [...all.keys()].sort().join(';');
    expect(value).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/${service}/aws4_request, ` +
        `SignedHeaders=${names}, Signature=${vector.signature}`,
    );
  });
});

const word = fc.string({ unit: 'grapheme', maxLength: 20 });
const printable = fc.string({ unit: 'grapheme-ascii', maxLength: 30 });

test('any request gets the signature that the SDK gives it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        method: fc.constantFrom('GET', 'PUT', 'POST'),
        segments: fc.array(fc.oneof(word, fc.constantFrom('.', '..', '', 'a b', 'é+%2F')), {
          maxLength: 6,
        }),
        query: fc.dictionary(
          word.filter((name) => !/^(x-amz-signature|__proto__)$/i.test(name)),
          word,
          { maxKeys: 5 },
        ),
        headers: fc.dictionary(fc.stringMatching(/^x-amz-[a-z0-9-]{1,12}$/), printable, {
          maxKeys: 6,
        }),
        token: fc.option(fc.base64String({ maxLength: 400, minLength: 4 }), { nil: undefined }),
        region: fc.constantFrom('us-east-1', 'cn-north-1', 'eu-isoe-west-1'),
        secretAccessKey: fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }),
        time: fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
        payloadHash: fc.stringMatching(/^[0-9a-f]{64}$/),
      }),
      async ({
        method,
        segments,
        query,
        headers,
        token,
        region,
        secretAccessKey,
        time,
        payloadHash,
      }) => {
        const path = `/${segments.map(percentEncode).join('/')}`;
        const dateTime = time.toISOString().replace(/[-:]|\.\d{3}/g, '');
        const sent: Record<string, string> = {
          ...headers,
          host: 'ebs.example.com',
          'x-amz-content-sha256': payloadHash,
        };
        const identity = { accessKeyId: 'AKID', secretAccessKey };
        const theirs = await new SignatureV4({
          service: 'ebs',
          region,
          credentials: { ...identity, ...(token === undefined ? {} : { sessionToken: token }) },
          sha256: Hash.bind(null, 'sha256'),
        }).sign(
          new HttpRequest({ method, path, query, headers: sent, hostname: 'ebs.example.com' }),
          { signingDate: time },
        );
        const signed = Object.entries({
          ...sent,
          'x-amz-date': dateTime,
          ...(token === undefined ? {} : { 'x-amz-security-token': token }),
        })
          .map(([name, value]) => [name, canonicalValue(value)] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1));
        const ours = authorization(
          deriveDayKey({ ...identity, region, service: 'ebs' }, dateTime.slice(0, 8)),
          {
            method,
            path,
            query: canonicalQuery(Object.entries(query)),
            headers: signed,
            payloadHash,
            dateTime,
          },
        );
        expect(ours).toBe(theirs.headers.authorization);
      },
    ),
    { numRuns: 300 },
  );
});
