import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { proxyFor, targetOf } from '../../../src/transport/proxy.ts';

beforeEach(() => {
  for (const lower of ['https_proxy', 'http_proxy', 'all_proxy', 'no_proxy']) {
    vi.stubEnv(lower, undefined);
    vi.stubEnv(lower.toUpperCase(), undefined);
  }
});
afterEach(() => void vi.unstubAllEnvs());

/** The proxy of a URL in an environment. */
function find(url: string, env: Readonly<Record<string, string>>): ReturnType<typeof proxyFor> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  return proxyFor(targetOf(new URL(url)));
}

const EBS = 'https://ebs.us-east-1.amazonaws.com';

test.each<[string, Record<string, string>, string | undefined]>([
  [EBS, {}, undefined],
  [EBS, { HTTPS_PROXY: 'http://a:1' }, 'http://a:1'],
  [EBS, { HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:2' }, 'http://b:2'],
  [EBS, { HTTP_PROXY: 'http://a:1' }, undefined],
  ['http://ebs.test', { HTTP_PROXY: 'http://a:1', ALL_PROXY: 'http://b:2' }, 'http://a:1'],
  [EBS, { all_proxy: 'http://a' }, 'http://a:80'],
  [EBS, { HTTPS_PROXY: 'https://a' }, 'https://a:443'],
  [EBS, { HTTPS_PROXY: 'a:3128' }, 'http://a:3128'],
  [EBS, { HTTPS_PROXY: 'http://[::1]:8' }, 'http://[::1]:8'],
  [EBS, { HTTPS_PROXY: '', ALL_PROXY: '' }, undefined],
  [EBS, { HTTPS_PROXY: 'http://a:1', NO_PROXY: '.amazonaws.com' }, undefined],
  [EBS, { HTTPS_PROXY: 'http://a:1', no_proxy: 'ec2.us-east-1.amazonaws.com' }, 'http://a:1'],
  [EBS, { HTTPS_PROXY: 'http://a:1', NO_PROXY: '*' }, undefined],
  ['https://localhost:9', { ALL_PROXY: 'http://a:1' }, undefined],
  ['https://LOCALHOST', { ALL_PROXY: 'http://a:1' }, undefined],
  ['http://127.9.8.7', { ALL_PROXY: 'http://a:1' }, undefined],
  ['http://[::1]:8', { ALL_PROXY: 'http://a:1' }, undefined],
  ['http://127.0.0.1.example.com', { ALL_PROXY: 'http://a:1' }, 'http://a:1'],
  ['http://[fd00::1]:8', { ALL_PROXY: 'http://a:1' }, 'http://a:1'],
])('%s with %j goes through %s', (url, env, name) => {
  expect(find(url, env)?.name).toBe(name);
});

test('user and password are decoded, and are not in the name', () => {
  const proxy = find(EBS, { HTTPS_PROXY: 'http://me%40home:p%3A%25@a:1' });
  const basic = Buffer.from('me@home:p:%').toString('base64');
  expect(proxy).toMatchObject({ name: 'http://a:1', authorization: `Basic ${basic}` });
});

test.each([
  ['http://user:secret@', 'HTTPS_PROXY is not a URL; it must be as http://host:port'],
  ['http://user:secret%zz@a:1', 'HTTPS_PROXY has a % in its user or password'],
  ['socks5://user:secret@a:1', 'HTTPS_PROXY names a proxy of the kind socks5; only HTTP'],
])('%s is refused without telling the password', (value, words) => {
  const expected = expect.objectContaining({
    message: expect.not.stringContaining('secret') as string,
  }) as Error;
  expect(() => find(EBS, { HTTPS_PROXY: value })).toThrow(words);
  expect(() => find(EBS, { HTTPS_PROXY: value })).toThrow(expected);
});
