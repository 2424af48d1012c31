import { randomBytes } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findProxy, findPython, programOf } from './installed-clients.ts';
import { serveClients } from './service-for-clients.ts';

const BLOCK_SIZE = 524_288;
const python = await findPython();
const proxy = await findProxy(python);

test('flexible-snapshot-proxy uploads, lists and downloads', async (context) => {
  const main = programOf(proxy, context);
  const { parent, run, counts } = await serveClients();
  const proxyRun = (...args: readonly string[]): Promise<string> =>
    run(programOf(python, context), main, '--nodeps', '--suppress_writes', ...args);
  const data = randomBytes(4 * BLOCK_SIZE);
  await writeFile(join(parent, 'disk.img'), data);
  await truncate(join(parent, 'disk.img'), 1024 ** 3);
  const [id = ''] = /snap-[0-9a-f]{17}/.exec(await proxyRun('upload', 'disk.img')) ?? [];
  expect(await proxyRun('list', id)).toContain('contains 4 chunks');
  await proxyRun('download', id, 'copy.img');
  // It leaves out the zeros at the end of the volume.
  expect((await readFile(join(parent, 'copy.img'))).equals(data)).toBe(true);
  expect(await counts()).toMatchObject({
    GetCallerIdentity: 6,
    ListBuckets: 3,
    DescribeRegions: 3,
  });
});
