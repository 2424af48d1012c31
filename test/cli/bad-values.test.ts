import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LocalEbs } from '../../src/local.ts';
import { complaints, envOf, jsonLines, runCommand } from '../support/command.ts';

const ID = 'snap-0123456789abcdef0';
const GIB = 1024 ** 3;
const tags = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => ['--tag', `key${index}=v`]).flat();

/** What is wrong, the command line, and the word by which the user finds the mistake. */
const BAD_VALUES: readonly (readonly [string, readonly string[], string])[] = [
  ['a source that is missing', ['upload', 'nowhere.img'], 'nowhere.img'],
  ['a source that is a folder', ['upload', 'folder'], 'folder'],
  ['a source that is empty', ['upload', 'empty.img'], 'empty.img'],
  ['a source without a name', ['upload', ''], 'SOURCE'],
  ['an empty stdin', ['upload', '-', '--volume-size', '1'], 'empty'],
  ['stdin without a volume size', ['upload', '-'], '--volume-size'],
  ['a source larger than the volume', ['upload', 'large.img', '--volume-size', '1'], 'large.img'],
  ['a volume of 0 GiB', ['upload', 'disk.img', '--volume-size', '0'], '--volume-size'],
  ['a volume of 65537 GiB', ['upload', 'disk.img', '--volume-size', '65537'], '--volume-size'],
  ['a volume of 1.5 GiB', ['upload', 'disk.img', '--volume-size', '1.5'], '--volume-size'],
  ['a volume size in words', ['upload', 'disk.img', '--volume-size', 'big'], '--volume-size'],
  ['a volume size of nothing', ['upload', 'disk.img', '--volume-size', ''], '--volume-size'],
  ['a timeout of 9 minutes', ['upload', 'disk.img', '--timeout', '9'], '--timeout'],
  ['a timeout of 4321 minutes', ['upload', 'disk.img', '--timeout', '4321'], '--timeout'],
  ['51 tags', ['upload', 'disk.img', ...tags(51)], '--tag'],
  ['a tag without a key', ['upload', 'disk.img', '--tag', '=v'], '--tag'],
  ['a tag without a value', ['upload', 'disk.img', '--tag', 'key'], '--tag'],
  ['a key given twice', ['upload', 'disk.img', '--tag', 'k=1', '--tag', 'k=2'], '--tag'],
  ['a key of 128', ['upload', 'disk.img', '--tag', `${'k'.repeat(128)}=v`], '--tag'],
  ['a value of 256', ['upload', 'disk.img', '--tag', `k=${'v'.repeat(256)}`], '--tag'],
  ['a reserved key', ['upload', 'disk.img', '--tag', 'aws:key=v'], 'aws:'],
  ['a description of 256', ['upload', 'disk.img', '--description', 'd'.repeat(256)], '--descr'],
  [
    'a parent and encryption',
    ['upload', 'disk.img', '--parent-snapshot-id', ID, '--encrypted'],
    '--encrypted',
  ],
  [
    'a parent and a key',
    [
      ...['upload', 'disk.img', '--parent-snapshot-id', ID],
      ...['--kms-key-arn', 'arn:aws:kms:us-east-1:111122223333:key/abc'],
    ],
    '--kms-key-arn',
  ],
  [
    'a key that is an alias',
    ['upload', 'disk.img', '--kms-key-arn', 'arn:aws:kms:us-east-1:111122223333:alias/abc'],
    '--kms-key-arn',
  ],
  [
    'omitted zeros under a parent',
    ['upload', 'disk.img', '--parent-snapshot-id', ID, '--zero-blocks', 'omit'],
    '--zero-blocks omit',
  ],
  [
    'omitted zeros and encryption',
    ['upload', 'disk.img', '--encrypted', '--zero-blocks', 'omit'],
    '--zero-blocks omit',
  ],
  ['a malformed parent', ['upload', 'disk.img', '--parent-snapshot-id', 'vol-1'], '--parent'],
  ['a malformed id', ['download', 'snap-XYZ', 'new.img'], 'SNAPSHOT'],
  ['a token with a space', ['upload', 'disk.img', '--client-token', 'a b'], '--client-token'],
  ['an empty token', ['upload', 'disk.img', '--client-token', ''], '--client-token'],
  ['a malformed endpoint', ['upload', 'disk.img', '--endpoint-url', 'here'], '--endpoint-url'],
  ['an endpoint of ftp', ['upload', 'disk.img', '--endpoint-url', 'ftp://x'], '--endpoint-url'],
  ['a rate in words', ['upload', 'disk.img', '--max-rate', 'fast'], '--max-rate'],
  ['a rate of 0', ['upload', 'disk.img', '--max-rate', '0'], '--max-rate'],
  ['a rate below 0', ['download', ID, 'new.img', '--max-rate', '-1'], '--max-rate'],
  ['no requests at all', ['upload', 'disk.img', '--max-requests', '0'], '--max-requests'],
  ['an unknown transport', ['upload', 'disk.img', '--transport', 'fast'], '--transport'],
  ['memory for no block', ['upload', 'disk.img', '--memory', '511K'], '--memory'],
  ['a choice that is none', ['upload', 'disk.img', '--wait', 'forever'], '--wait'],
  ['a target that exists', ['download', ID, 'disk.img'], 'disk.img'],
  ['a target that is a folder', ['download', ID, 'folder'], 'folder'],
  ['a target in no folder', ['download', ID, 'nowhere/new.img'], 'nowhere/new.img'],
  ['a port in words', ['serve', '--port', 'http'], '--port'],
  ['a port of 65536', ['serve', '--port', '65536'], '--port'],
  ['hostility that is no JSON', ['serve', '--hostility', 'reset'], '--hostility'],
  ['hostility of a file that is missing', ['serve', '--hostility', '@nowhere.json'], '@nowhere'],
  ['hostility that is no object', ['serve', '--hostility', '[]'], '--hostility'],
  ['an unknown fault', ['serve', '--hostility', '{"faults":{"rest":1}}'], 'hostility.faults.rest'],
  [
    'a fault more often than always',
    ['serve', '--hostility', '{"faults":{"reset":2}}'],
    'hostility.faults.reset',
  ],
  ['a folder that is a file', ['serve', '--data', 'disk.img'], 'disk.img'],
  ['a folder of other files', ['upload', 'disk.img', '--local', 'folder'], 'folder'],
  ['a local service elsewhere', ['upload', 'a', '--local', 'b', '--profile', 'c'], '--local'],
  ['an unknown command', ['uplaod', 'disk.img'], 'upload?'],
  ['an unknown option', ['upload', 'disk.img', '--tags', 'k=v'], '--tag?'],
  ['a missing argument', ['download', ID], 'TARGET'],
  ['an argument too many', ['upload', 'disk.img', 'other.img'], 'too many'],
  ['an option without its value', ['upload', 'disk.img', '--tag'], '--tag'],
];

describe('a bad value is one sentence, exit code 2, and no request', () => {
  let folder: string;
  let service: LocalEbs;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ebs-snapshot-stream-'));
    await mkdir(join(folder, 'folder'));
    await writeFile(join(folder, 'folder', 'other.txt'), 'not a store');
    await writeFile(join(folder, 'disk.img'), 'disk');
    await writeFile(join(folder, 'empty.img'), '');
    await writeFile(join(folder, 'large.img'), '');
    await truncate(join(folder, 'large.img'), GIB + 1);
    service = await LocalEbs.start({ directory: join(folder, 'service') });
  });

  afterAll(async () => {
    await service.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.concurrent.each(BAD_VALUES)('%s', async (_what, args, word) => {
    const options = { cwd: folder, env: envOf(service) };
    const { exitCode, stdout, stderr } = await runCommand(args, options);
    expect(complaints(stderr)).toEqual([expect.stringMatching(/^ebs-snapshot: [^\n]+$/)]);
    expect(stderr).toContain(word);
    expect(stderr).not.toMatch(/^\s+at |Error:/m);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });

  it('is a JSON object too, when JSON was asked for', async () => {
    const args = ['upload', 'disk.img', '--volume-size', 'big', '--json'];
    const { exitCode, stdout, stderr } = await runCommand(args, { cwd: folder });
    expect(exitCode).toBe(2);
    expect(complaints(stderr)).toHaveLength(1);
    expect(jsonLines(stdout)).toEqual([
      {
        type: 'error',
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('--volume-size') as string,
        exitCode: 2,
      },
    ]);
  });

  it('is JSON that cannot share stdout with a volume', async () => {
    const args = ['download', ID, '-', '--json'];
    const { exitCode, stdout } = await runCommand(args, { cwd: folder, env: envOf(service) });
    expect(exitCode).toBe(2);
    expect(jsonLines(stdout)).toEqual([expect.objectContaining({ type: 'error', exitCode: 2 })]);
  });

  it('shows the stack only to those who ask for it', async () => {
    const options = { cwd: folder, env: { EBS_SNAPSHOT_DEBUG: '1' } };
    const { stderr } = await runCommand(['upload', 'nowhere.img', '--region', 'x'], options);
    expect(stderr).toMatch(/^\s+at /m);
  });

  // Last, when all of the above have run.
  it('left nothing on the service and no file behind', async () => {
    expect(service.history()).toEqual([]);
    const names = await readdir(folder);
    expect(names.sort()).toEqual(['disk.img', 'empty.img', 'folder', 'large.img', 'service']);
  });
});
