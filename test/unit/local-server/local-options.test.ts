import { expect, test } from 'vitest';
import {
  resolveLocalOptions,
  type LocalEbsOptions,
} from '../../../src/local-server/local-options.ts';

const directory = '/somewhere';

test.each<[string, object, RegExp]>([
  ['an unknown name', { directory, dir: 'x' }, /^Unknown option dir of LocalEbs\.$/],
  ['no directory', { directory: '' }, /directory/],
  ['a port too high', { directory, port: 65_536 }, /from 0 to 65535 for port, received 65536/],
  ['half a port', { directory, port: 1.5 }, /port, received 1.5/],
  ['an account of 11 digits', { directory, accountId: '11112222333' }, /12 digits/],
  [
    'empty credentials',
    { directory, credentials: { accessKeyId: '', secretAccessKey: 's' } },
    /accessKeyId/,
  ],
  [
    'less than one block',
    { directory, maxBufferBytes: 524_287 },
    /at least 524288 for maxBufferBytes/,
  ],
])('%s is refused in one sentence', (_, options, message) => {
  expect(() => resolveLocalOptions(options as LocalEbsOptions)).toThrow(message);
});

test('the defaults', () => {
  expect(resolveLocalOptions({ directory })).toMatchObject({
    host: '127.0.0.1',
    port: 0,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local-secret' },
    region: undefined,
    encryptionByDefault: false,
    lags: { completionMs: 0, readabilityMs: 0 },
  });
});
