import { describe, expect, test } from 'vitest';
import {
  SignatureVerifier,
  type SignedRequest,
} from '../../../src/local-server/verify-signature.ts';

// AWS Signature Version 4 test suite, and the worked example of the IAM user guide ("iam").
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const NOW = Date.parse('2015-08-30T12:36:00Z');
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

interface Vector {
  readonly method?: string;
  readonly url?: string;
  readonly service?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signature: string;
}

const VECTORS: Readonly<Record<string, Vector>> = {
  'get-vanilla': {
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'post-vanilla': {
    method: 'POST',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  'get-vanilla-query-order-key-case': {
    url: '/?Param2=value2&Param1=value1',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  'get-slashes': {
    url: '//example//',
    signature: '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
  },
  'get-relative-relative': {
    url: '/example1/example2/../..',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'get-header-value-trim': {
    headers: { 'My-Header1': ' value1', 'My-Header2': ' "a   b   c"' },
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  iam: {
    url: '/?Action=ListUsers&Version=2010-05-08',
    service: 'iam',
    headers: {
      Host: 'iam.amazonaws.com',
      'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
    },
    signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  },
};

function toRequest({
  method = 'GET',
  url = '/',
  service = 'service',
  ...rest
}: Vector): SignedRequest {
  const headers: Record<string, string> = {
    Host: 'example.amazonaws.com',
    'X-Amz-Date': '20150830T123600Z',
    ...rest.headers,
  };
  const signedHeaders = Object.keys(headers)
    .map((name) => name.toLowerCase())
    .sort()
    .join(';');
  const authorization =
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/${service}/aws4_request, ` +
    `SignedHeaders=${signedHeaders}, Signature=${rest.signature}`;
  return {
    method,
    url,
    rawHeaders: Object.entries({ ...headers, Authorization: authorization }).flat(),
    bodySha256Hex: EMPTY,
  };
}

describe('published vectors', () => {
  test.each(Object.entries(VECTORS))('%s', (_, vector) => {
    const verifier = new SignatureVerifier(CREDENTIALS);
    expect(verifier.verify(toRequest(vector), NOW)).toMatchObject({
      accessKeyId: 'AKIDEXAMPLE',
      region: 'us-east-1',
    });
    const other = { ...vector, signature: vector.signature.replace(/^./, '0') };
    expect(() => verifier.verify(toRequest(other), NOW)).toThrow(/does not match/);
  });
});

describe('time', () => {
  const verifier = new SignatureVerifier(CREDENTIALS);
  const request = toRequest({ signature: String(VECTORS['get-vanilla']?.signature) });

  test('five minutes either way are good, a millisecond more is not, and the text says by what', () => {
    verifier.verify(request, NOW + 300_000);
    verifier.verify(request, NOW - 300_000);
    expect(() => verifier.verify(request, NOW + 301_000)).toThrow(
      'Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)',
    );
    expect(() => verifier.verify(request, NOW - 301_000)).toThrow(
      'Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)',
    );
  });
});
