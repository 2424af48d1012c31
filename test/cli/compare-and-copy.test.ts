import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { BLOCK_SIZE } from '../../src/index.ts';
import { LocalEbs } from '../../src/local.ts';
import { complaints, envOf, jsonLines, runCommand, startCommand } from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Place {
  readonly folder: string;
  readonly service: LocalEbs;
  readonly run: (args: readonly string[], input?: Uint8Array) => ReturnType<typeof runCommand>;
}

async function prepare(): Promise<Place> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'disk.img'), diskOf('dd0d'));
  const service = await LocalEbs.start({ directory: join(folder, 'service') });
  onTestFinished(() => service.close());
  const run: Place['run'] = (args, input) =>
    runCommand(args, {
      cwd: folder,
      env: envOf(service),
      ...(input === undefined ? {} : { input }),
    });
  return { folder, service, run };
}

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
  buffer[0] = (buffer[0] ?? 0) ^ 1;
  await file.write(buffer, 0, 1, offset);
  await file.close();
}

it('verifies a snapshot against file, stdin, manifest and itself, and names what differs', async () => {
  const { folder, service, run } = await prepare();
  const upload = await run(['upload', 'disk.img', '--manifest', 'disk.manifest', '--verify']);
  expect(upload.exitCode).toBe(0);
  const id = upload.stdout.trim();
  const equal = [
    ['verify', id],
    ['verify', id, 'disk.img'],
    ['verify', id, '--manifest', 'disk.manifest'],
    ['verify', id, 'disk.img', '--manifest', 'disk.manifest', '--offline'],
  ];
  for (const args of equal) {
    const { exitCode, stdout, stderr } = await run(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain(`${id} is as it should be`);
  }
  expect((await run(['verify', id, '-'], diskOf('dd0d'))).exitCode).toBe(0);

  await flip(join(folder, 'disk.img'), 3 * BLOCK_SIZE);
  const text = await run(['verify', id, 'disk.img']);
  expect(text).toMatchObject({ exitCode: 4, stdout: '       1572864         524288 content\n' });
  expect(text.stderr).toContain('differs in 1 range, 512 KiB: SOURCE 1022 MiB shorter');
  service.inject({ operation: 'GetSnapshotBlock', blockIndex: 0, fault: 'corrupt', times: 4 });
  const json = await run(['verify', id, 'disk.img', '--json', '--no-progress']);
  expect(json.exitCode).toBe(4);
  const lines = jsonLines(json.stdout).filter(({ type }) => type !== 'retry');
  expect(lines).toMatchObject([
    { type: 'start', command: 'verify', snapshotId: id, source: 'disk.img' },
    { type: 'difference', start: 0, length: BLOCK_SIZE, fault: 'corrupt' },
    { type: 'difference', start: 3 * BLOCK_SIZE, length: BLOCK_SIZE, fault: 'content' },
    { type: 'end', isEqual: false, differingRanges: 2 },
  ]);
});

it('ends with 4 when an upload does not read back', async () => {
  const { service, run } = await prepare();
  service.inject({ operation: 'GetSnapshotBlock', blockIndex: 1, fault: 'corrupt', times: 4 });
  const { exitCode, stdout, stderr } = await run(['upload', 'disk.img', '--verify', '--quiet']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
  expect(complaints(stderr)).toEqual([
    expect.stringMatching(/1 block differs, 1 \(corrupt\); delete the snapshot/),
    expect.stringMatching(/is left completed, and is not what was sent; delete it$/),
  ]);
});

it('prints what changed between two snapshots', async () => {
  const { folder, run } = await prepare();
  const upload = ['upload', 'disk.img', '--quiet', '--manifest'];
  const first = (await run([...upload, '1.manifest'])).stdout.trim();
  const child = ['2.manifest', '--base', '1.manifest', '--parent-snapshot-id', first];
  await flip(join(folder, 'disk.img'), 1);
  const second = (await run([...upload, ...child])).stdout.trim();
  const written = await run(['diff', first, second]);
  expect(written).toMatchObject({ exitCode: 0, stdout: '             0         524288 changed\n' });
  expect(written.stderr).toContain('differs from');
  const read = await run([
    'diff',
    first,
    second,
    '--by-digest',
    '--exit-code',
    '--json',
    '--no-progress',
  ]);
  expect(read.exitCode).toBe(4);
  expect(jsonLines(read.stdout)).toMatchObject([
    { type: 'start', command: 'diff' },
    {
      type: 'range',
      start: 0,
      length: BLOCK_SIZE,
      present: true,
      data: true,
      zero: false,
      change: 'changed',
    },
    { type: 'end', isEqual: false, changedBlocks: 1, byDigest: true },
  ]);
  const same = await run(['diff', first, first, '--exit-code']);
  expect(same).toMatchObject({ exitCode: 0, stdout: '' });
});

it('copies to several regions and goes on with what was stopped', async () => {
  const { service, folder, run } = await prepare();
  const id = (await run(['upload', 'disk.img', '--quiet'])).stdout.trim();
  const copy = [
    'copy',
    id,
    '--to-region',
    'eu-west-1,us-west-2',
    '--to-endpoint-url',
    service.endpoint,
  ];
  const refused = await run([...copy, '--manifest', 'one.manifest']);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain('{region}');
  const done = await run([...copy, '--manifest', '{region}.manifest', '--verify', '--tag', 'k=v']);
  expect({ exitCode: done.exitCode, stderr: done.stderr }).toMatchObject({ exitCode: 0 });
  const ids = done.stdout.trim().split('\n');
  expect(ids).toHaveLength(2);
  for (const [index, region] of ['eu-west-1', 'us-west-2'].entries()) {
    const verify = ['verify', ids[index] ?? '', 'disk.img', '--region', region];
    expect((await run(verify)).exitCode).toBe(0);
  }

  const single = ['copy', id, '--manifest', 'single.manifest'];
  service.inject({ operation: 'GetSnapshotBlock', blockIndex: 3, fault: 'stall' });
  const started = startCommand([...single, '--json'], { cwd: folder, env: envOf(service) });
  await started.lineWith('"snapshot"');
  started.child.kill('SIGINT');
  const stopped = await started.result;
  expect(stopped.exitCode).toBe(5);
  expect(stopped.stderr).toContain(
    `go on with: ebs-snapshot copy ${id} --manifest single.manifest`,
  );
  const resumed = await run([...single, '--resume', '--quiet']);
  expect(resumed.exitCode).toBe(0);
  expect((await run(['verify', resumed.stdout.trim(), 'disk.img'])).exitCode).toBe(0);
});

it('copies on a folder, from one region to another', async () => {
  const { run } = await prepare();
  const local = ['--local', 'own', '--quiet'];
  const id = (await run(['upload', 'disk.img', ...local])).stdout.trim();
  const copy = await run(['copy', id, '--to-region', 'eu-west-1', ...local]);
  expect({ exitCode: copy.exitCode, stderr: copy.stderr }).toMatchObject({ exitCode: 0 });
  const verify = ['verify', copy.stdout.trim(), 'disk.img', '--region', 'eu-west-1', ...local];
  expect((await run(verify)).exitCode).toBe(0);
});

it('copies to another account, with the credentials of its profile', async () => {
  const { service, folder, run } = await prepare();
  const id = (await run(['upload', 'disk.img', '--quiet'])).stdout.trim();
  const credentials = { accessKeyId: 'AKIAOTHERACCOUNT0000', secretAccessKey: 'another secret' };
  const other = await LocalEbs.start({ directory: join(folder, 'other'), credentials });
  onTestFinished(() => other.close());
  const profiles = [
    { name: 'mine', keys: service.credentials },
    { name: 'backup', keys: credentials },
  ].map(
    ({ name, keys }) =>
      `[${name}]\naws_access_key_id = ${keys.accessKeyId}\n` +
      `aws_secret_access_key = ${keys.secretAccessKey}\n`,
  );
  const file = join(folder, 'credentials');
  await writeFile(file, profiles.join('\n'));
  const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_REGION: service.region };
  const as = (args: readonly string[]): ReturnType<typeof runCommand> =>
    runCommand([...args, '--quiet'], { cwd: folder, env });
  const from = ['copy', id, '--profile', 'mine', '--endpoint-url', service.endpoint];
  const to = ['--to-endpoint-url', other.endpoint];
  // The keys of the one account are not known to the other.
  expect((await as([...from, ...to])).exitCode).toBe(7);
  const copy = await as([...from, ...to, '--to-profile', 'backup']);
  expect({ exitCode: copy.exitCode, stderr: copy.stderr }).toEqual({ exitCode: 0, stderr: '' });
  const there = ['--profile', 'backup', '--endpoint-url', other.endpoint];
  expect((await as(['verify', copy.stdout.trim(), 'disk.img', ...there])).exitCode).toBe(0);
});

it('stops a comparison at a signal', async () => {
  const { service, folder, run } = await prepare();
  const id = (await run(['upload', 'disk.img', '--quiet'])).stdout.trim();
  service.inject({ operation: 'GetSnapshotBlock', fault: 'stall' });
  const options = { cwd: folder, env: envOf(service) };
  const started = startCommand(['verify', id, '-', '--json'], options);
  await started.lineWith('"start"');
  started.child.kill('SIGTERM');
  expect(await started.result).toMatchObject({ exitCode: 143 });
  expect(started.child.exitCode ?? once(started.child, 'exit')).toBe(143);
});
