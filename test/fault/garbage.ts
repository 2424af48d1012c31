import { signedHead } from '../support/sign-request.ts';

/** What a client sends that knows no better, by name, and the statuses that it is answered with. */
export interface Garbage {
  readonly name: string;
  readonly bytes: string;
  /** Empty: the connection is closed without an answer. */
  readonly statuses: readonly number[];
  /** Sends no more afterwards, so that the server knows that nothing follows. */
  readonly isFinished?: boolean;
}

const HOST = 'Host: localhost\r\n';
const unsigned = (head: string, body = ''): string => `${head}\r\n${HOST}\r\n${body}`;
const post = (headers: string, body = ''): string =>
  `POST / HTTP/1.1\r\n${HOST}${headers}\r\n${body}`;

/** Bytes that are no request, or one that nobody should send. */
export const GARBAGE: readonly Garbage[] = [
  { name: 'a word', bytes: 'GARBAGE\r\n\r\n', statuses: [400] },
  { name: 'noise', bytes: '\x00\x01\xfe\xff\x16\x03\x01\x02\x00', statuses: [400] },
  {
    name: 'a TLS greeting',
    bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    statuses: [400],
  },
  { name: 'HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', statuses: [400] },
  { name: 'HTTP/0.9', bytes: 'GET /\r\n\r\n', statuses: [403] },
  { name: 'HTTP/9.9', bytes: unsigned('GET / HTTP/9.9'), statuses: [400] },
  { name: 'HTTP/1.0', bytes: unsigned('GET /snapshots HTTP/1.0'), statuses: [403] },
  { name: 'no Host', bytes: 'GET / HTTP/1.1\r\n\r\n', statuses: [400] },
  { name: 'a header without a colon', bytes: unsigned('GET / HTTP/1.1\r\nX'), statuses: [400] },
  { name: 'a space before the colon', bytes: unsigned('GET / HTTP/1.1\r\nX : y'), statuses: [400] },
  { name: 'a NUL in a header', bytes: unsigned('GET / HTTP/1.1\r\nX: a\0b'), statuses: [400] },
  { name: 'a NUL in the path', bytes: unsigned('GET /snap\0shots HTTP/1.1'), statuses: [400] },
  {
    name: 'a header of 64 KiB',
    bytes: unsigned(`GET / HTTP/1.1\r\nX: ${'x'.repeat(65_536)}`),
    statuses: [431],
  },
  {
    name: '10,000 headers',
    bytes: unsigned(`GET / HTTP/1.1${'\r\nX: y'.repeat(10_000)}`),
    statuses: [431],
  },
  {
    name: '3,000 headers that are short enough together',
    // Node reads 2,000 of them, so that the Host is not among them.
    bytes: unsigned(`GET /snapshots HTTP/1.1${'\r\nX:'.repeat(3000)}`),
    statuses: [400],
  },
  {
    name: 'a path of 64 KiB',
    bytes: unsigned(`GET /${'x'.repeat(65_536)} HTTP/1.1`),
    statuses: [431],
  },
  { name: 'a negative length', bytes: post('Content-Length: -1\r\n'), statuses: [400] },
  { name: 'a length in words', bytes: post('Content-Length: ten\r\n'), statuses: [400] },
  {
    name: 'a length beyond 64 bits',
    bytes: post('Content-Length: 99999999999999999999\r\n'),
    statuses: [400],
  },
  {
    name: 'two lengths',
    bytes: post('Content-Length: 1\r\nContent-Length: 2\r\n', 'ab'),
    statuses: [400],
  },
  {
    name: 'a length and chunks',
    bytes: post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    statuses: [400],
  },
  {
    name: 'a body shorter than its length',
    bytes: post('Content-Length: 100\r\n', 'short'),
    statuses: [400],
    isFinished: true,
  },
  {
    // What is left over is refused at once, before the request that it came with has its answer.
    name: 'a body longer than its length',
    bytes: post('Content-Length: 2\r\n', 'longer than that\r\n\r\n'),
    statuses: [400],
  },
  {
    name: 'a chunk without a size',
    bytes: post('Transfer-Encoding: chunked\r\n', 'zz\r\nbody\r\n'),
    statuses: [400],
  },
  {
    name: 'a chunk of 2^64 bytes',
    bytes: post('Transfer-Encoding: chunked\r\n', '10000000000000000\r\n'),
    statuses: [400],
  },
  {
    name: 'chunk extensions without end',
    bytes: post('Transfer-Encoding: chunked\r\n', `1;${'x'.repeat(65_536)}\r\na\r\n`),
    statuses: [413],
  },
  {
    name: 'a coding nobody knows',
    bytes: post('Transfer-Encoding: zip\r\n', 'body'),
    statuses: [400],
  },
  {
    name: 'an expectation nobody knows',
    bytes: post('Expect: miracles\r\nContent-Length: 0\r\n'),
    statuses: [417],
  },
  {
    name: '100-continue',
    bytes: post('Expect: 100-continue\r\nContent-Length: 2\r\n', 'ab'),
    statuses: [100, 401],
  },
  { name: 'OPTIONS *', bytes: unsigned('OPTIONS * HTTP/1.1'), statuses: [403] },
  { name: 'TRACE', bytes: unsigned('TRACE /snapshots HTTP/1.1'), statuses: [403] },
  { name: 'CONNECT', bytes: unsigned('CONNECT example.com:443 HTTP/1.1'), statuses: [] },
  {
    name: 'an upgrade',
    bytes: unsigned('GET /snapshots HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket'),
    statuses: [403],
  },
  {
    name: 'an upgrade to h2c',
    bytes: unsigned(
      'GET /snapshots HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    ),
    statuses: [403],
  },
  {
    name: 'an absolute target',
    bytes: unsigned('GET http://x/snapshots HTTP/1.1'),
    statuses: [403],
  },
  {
    name: 'an absolute target of elsewhere',
    bytes: unsigned('GET ftp://x/etc/passwd HTTP/1.1'),
    statuses: [403],
  },
  {
    name: 'a path out of the tree',
    bytes: unsigned('GET /snapshots/../../../etc/passwd HTTP/1.1'),
    statuses: [403],
  },
  {
    name: 'a broken escape',
    bytes: unsigned('GET /snapshots/%zz%/blocks?pageToken=%ff%c0%af HTTP/1.1'),
    statuses: [403],
  },
];

/** Ids that lead out of a folder, if one is careless. */
export const WICKED_IDS: readonly string[] = [
  '..',
  '%2e%2e',
  '..%2f..%2f..%2fetc%2fpasswd',
  '%2e%2e%2f%2e%2e%2fescaped',
  '%00',
  'snap-0%00',
  '%5c..%5c..%5cescaped',
  '%2fetc%2fpasswd',
  'snap-0123456789abcdef1%2f..%2f..%2fescaped',
  '%ff%fe',
  '%F0%9F%98%80',
  'constructor',
  '__proto__',
  `snap-${'0'.repeat(12_000)}`,
  '%20',
  'snap-%0d%0aSet-Cookie:x',
];

/** Every operation that has an id in its path. */
export const OPERATIONS_WITH_ID: readonly ((id: string) => { method: string; url: string })[] = [
  (id) => ({ method: 'PUT', url: `/snapshots/${id}/blocks/0` }),
  (id) => ({ method: 'PUT', url: `/snapshots/snap-0fedcba9876543210/blocks/${id}` }),
  (id) => ({ method: 'GET', url: `/snapshots/${id}/blocks/0?blockToken=x` }),
  (id) => ({ method: 'GET', url: `/snapshots/snap-0fedcba9876543210/blocks/${id}?blockToken=x` }),
  (id) => ({ method: 'POST', url: `/snapshots/completion/${id}` }),
  (id) => ({ method: 'GET', url: `/snapshots/${id}/blocks` }),
  (id) => ({ method: 'GET', url: `/snapshots/${id}/changedblocks` }),
];

/** Every operation there is, with a body that is the caller's. */
export const OPERATIONS: readonly { method: string; url: string; service?: string }[] = [
  { method: 'POST', url: '/snapshots' },
  ...OPERATIONS_WITH_ID.map((request) => request('snap-0fedcba9876543210')).filter(
    ({ url }) => !url.includes('blocks/snap'),
  ),
  { method: 'POST', url: '/', service: 'ec2' },
  { method: 'POST', url: '/', service: 'sts' },
  { method: 'GET', url: '/', service: 's3' },
];

/** Bodies that are no JSON, or not the JSON that StartSnapshot wants. */
export const WICKED_BODIES: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['a word', 'hello'],
  ['an open brace', '{'],
  ['two objects', '{}{}'],
  ['a list', '[]'],
  ['null', 'null'],
  ['a number', '1e999'],
  ['100,000 brackets', '['.repeat(100_000)],
  ['100,000 closed brackets', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['100,000 objects in one another', '{"a":'.repeat(40_000) + '1' + '}'.repeat(40_000)],
  ['deep tags', `{"VolumeSize":1,"Tags":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
  [
    'many tags, one of them deep',
    `{"VolumeSize":1,"Tags":[${'{"Key":"k"},'.repeat(60)}${'['.repeat(50_000)}${']'.repeat(50_000)}]}`,
  ],
  [
    'many tags with a member too many, which is deep',
    `{"VolumeSize":1,"Tags":[${'{"Key":"k"},'.repeat(60)}{"Key":"k","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`,
  ],
  ['a byte order mark', '\xef\xbb\xbf{"VolumeSize":0}'],
  ['bad UTF-8', '{"VolumeSize":1,"Description":"\xff\xfe\xc0\xaf"}'],
  ['half a surrogate', '{"VolumeSize":0,"Description":"\\ud800"}'],
  ['a huge number', `{"VolumeSize":1${'0'.repeat(400)}}`],
  ['a number of 100,000 digits', `{"VolumeSize":${'9'.repeat(100_000)}}`],
  ['a fraction', '{"VolumeSize":1.5}'],
  ['a negative size', '{"VolumeSize":-1}'],
  ['a member twice', '{"VolumeSize":1,"VolumeSize":"two"}'],
  ['a prototype', '{"__proto__":{"VolumeSize":1},"constructor":{"VolumeSize":1}}'],
  ['100,000 members', `{${'"a":1,'.repeat(30_000)}"b":1}`],
];

/** Members of StartSnapshot with values of every wrong type. */
export const WRONG_MEMBERS: readonly string[] = [
  ['VolumeSize', ['"1"', 'true', '[]', '{}', '1.5', '1e400']],
  ['ParentSnapshotId', ['1', 'true', '[]', '{}', '""']],
  ['Description', ['1', 'true', '[]', '{}', '""']],
  ['ClientToken', ['1', 'true', '[]', '{}', '""', '" "']],
  ['Encrypted', ['1', '"true"', '[]', '{}']],
  ['KmsKeyArn', ['1', 'true', '[]', '{}', '""']],
  ['Timeout', ['"60"', 'true', '[]', '{}', '9', '4321', '60.5']],
  ['Tags', ['1', '"x"', 'true', '{}', '[1]', '["x"]', '[null]', '[[]]', '[{}]', '[{"Key":1}]']],
].flatMap(([name, values]) =>
  (values as string[]).map((value) =>
    name === 'VolumeSize'
      ? `{"VolumeSize":${value}}`
      : `{"VolumeSize":1,"${String(name)}":${value}}`,
  ),
);

/** A signed request with a body of bytes, as it goes over the wire. */
export function signedRequest(
  endpoint: string,
  request: { method: string; url: string; service?: string },
  body: Uint8Array,
): Buffer {
  const headers = { 'content-length': body.length };
  return Buffer.concat([Buffer.from(signedHead(endpoint, { ...request, headers })), body]);
}
