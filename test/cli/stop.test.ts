import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EBSClient, ListSnapshotBlocksCommand } from '@aws-sdk/client-ebs';
import { expect, it, onTestFinished } from 'vitest';
import { DEFAULT_LOCAL_CREDENTIALS, LocalEbs } from '../../src/local.ts';
import {
  complaints,
  envOf,
  isGroupAlive,
  jsonLines,
  runCommand,
  startCommand,
  type RunningCommand,
} from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Slow enough that an upload of the disk is still under way when the signal comes. */
const SLOWLY = ['--max-rate', '512K'];

async function makeDisk(folder: string): Promise<void> {
  await writeFile(join(folder, 'disk.img'), randomBytes(16 * 1_048_576));
}

async function startService(folder: string): Promise<LocalEbs> {
  const service = await LocalEbs.start({ directory: join(folder, 'service') });
  onTestFinished(() => service.close());
  return service;
}

/** Starts a command that is killed, at the latest, when the test ends. */
function startUnderWatch(...args: Parameters<typeof startCommand>): RunningCommand {
  const command = startCommand(...args);
  onTestFinished(() => {
    command.child.kill('SIGKILL');
  });
  return command;
}

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('stops at the first %s and says what is left', async (signal, exitCode) => {
  const folder = await temporaryFolder();
  await makeDisk(folder);
  const env = envOf(await startService(folder));
  const args = ['upload', 'disk.img', '--json', ...SLOWLY];
  const { child, result, lineWith } = startUnderWatch(args, { cwd: folder, env });
  const { snapshotId } = JSON.parse(await lineWith('"snapshot"')) as { snapshotId: string };
  child.kill(signal);
  const ended = await result;
  expect(ended.exitCode).toBe(exitCode);
  expect(complaints(ended.stderr)).toEqual([
    `ebs-snapshot: stopped by ${signal}`,
    `ebs-snapshot: snapshot ${snapshotId} is left pending; AWS cancels it after 60 minutes without a block`,
  ]);
  expect(jsonLines(ended.stdout).at(-1)).toMatchObject({
    type: 'error',
    code: 'ABORT_ERR',
    exitCode,
    snapshotId,
  });
  expect(isGroupAlive(child.pid)).toBe(false);
});

it.each(['StartSnapshot', 'PutSnapshotBlock', 'CompleteSnapshot', 'ListSnapshotBlocks'])(
  'stops while %s is not answered',
  async (operation) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'disk.img'), randomBytes(1_048_576));
    const service = await startService(folder);
    service.inject({ operation, fault: 'stall', times: 1000 });
    const args = ['upload', 'disk.img', '--json'];
    const command = startUnderWatch(args, { cwd: folder, env: envOf(service) });
    await expect
      .poll(() => service.counters().inFlight, { timeout: 30_000 })
      .toBe(operation === 'PutSnapshotBlock' ? 2 : 1);
    if (operation === 'CompleteSnapshot' || operation === 'ListSnapshotBlocks') {
      await expect.poll(() => service.counters().byOperation.PutSnapshotBlock).toBe(2);
    }
    command.child.kill('SIGINT');
    expect((await command.result).exitCode).toBe(130);
    await expect.poll(() => service.counters().inFlight).toBe(0);
    expect(isGroupAlive(command.child.pid)).toBe(false);
  },
);

it('deletes the unfinished snapshot when asked to', async () => {
  const folder = await temporaryFolder();
  await makeDisk(folder);
  const service = await startService(folder);
  const args = ['upload', 'disk.img', '--json', '--on-failure', 'delete', ...SLOWLY];
  const command = startUnderWatch(args, { cwd: folder, env: envOf(service) });
  await command.lineWith('"snapshot"');
  command.child.kill('SIGINT');
  const { exitCode, stderr } = await command.result;
  expect(exitCode).toBe(130);
  expect(stderr).toContain('--on-failure delete');
  expect(service.history()).toContainEqual(
    expect.objectContaining({ operation: 'DeleteSnapshot', status: 200 }),
  );
});

it('ends at once at the second signal', async () => {
  const folder = await temporaryFolder();
  await makeDisk(folder);
  const service = await startService(folder);
  // The clean end waits for the deletion, which never comes.
  service.inject({ operation: 'DeleteSnapshot', fault: 'stall', times: 100 });
  const args = ['upload', 'disk.img', '--json', '--on-failure', 'delete', ...SLOWLY];
  const command = startUnderWatch(args, { cwd: folder, env: envOf(service) });
  await command.lineWith('"snapshot"');
  command.child.kill('SIGINT');
  command.child.kill('SIGTERM');
  const { exitCode } = await command.result;
  expect([130, 143]).toContain(exitCode);
  expect(isGroupAlive(command.child.pid)).toBe(false);
});

it('serves until it is told to stop, which is its regular end', async () => {
  const folder = await temporaryFolder();
  const serve = ['serve', '--data', 'data', '--port', '0'];
  const { child, result, lineWith } = startUnderWatch(serve, { cwd: folder });
  const [, endpoint = ''] = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(
    await lineWith('listening'),
  ) ?? [''];
  expect(endpoint).not.toBe('');

  await writeFile(join(folder, 'disk.img'), randomBytes(1_000_000));
  const env = envOf({ endpoint, region: 'us-east-1', credentials: DEFAULT_LOCAL_CREDENTIALS });
  const { stdout } = await runCommand(['upload', 'disk.img'], { cwd: folder, env });
  const client = new EBSClient({
    endpoint,
    region: 'us-east-1',
    credentials: DEFAULT_LOCAL_CREDENTIALS as { accessKeyId: string; secretAccessKey: string },
  });
  onTestFinished(() => client.destroy());
  const listed = await client.send(new ListSnapshotBlocksCommand({ SnapshotId: stdout.trim() }));
  expect(listed.Blocks).toHaveLength(2);

  // The client's connection is still open; it must not hold the service.
  child.kill('SIGTERM');
  const { exitCode, stderr } = await result;
  expect(exitCode).toBe(0);
  expect(stderr).toContain(DEFAULT_LOCAL_CREDENTIALS.accessKeyId);
  expect(isGroupAlive(child.pid)).toBe(false);
});

it('serves with the credentials of its environment, and removes a folder of its own', async () => {
  const folder = await temporaryFolder();
  const env = { AWS_ACCESS_KEY_ID: 'mine', AWS_SECRET_ACCESS_KEY: 'secret', TMPDIR: folder };
  const { child, result, lineWith } = startUnderWatch(['serve', '--json'], { env });
  const listening = JSON.parse(await lineWith('"listening"')) as Record<string, unknown>;
  expect(listening).toMatchObject({ type: 'listening', accessKeyId: 'mine' });
  expect(await readdir(folder)).toHaveLength(1);
  child.kill('SIGINT');
  expect((await result).exitCode).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

it('warns of a service that other machines can reach', async () => {
  const folder = await temporaryFolder();
  const serve = ['serve', '--data', folder, '--host', '0.0.0.0'];
  const { child, result, lineWith } = startUnderWatch(serve);
  await lineWith('listening');
  child.kill('SIGINT');
  expect((await result).stderr).toMatch(/0\.0\.0\.0.*beyond this machine/);
});

it('goes on quietly when the reader of its events leaves', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'disk.img'), randomBytes(4 * 1_048_576));
  const service = await startService(folder);
  const args = ['upload', 'disk.img', '--json'];
  const { child, result, lineWith } = startUnderWatch(args, { cwd: folder, env: envOf(service) });
  await lineWith('"start"');
  child.stdout.destroy();
  const { exitCode, stderr } = await result;
  expect({ exitCode, complaints: complaints(stderr) }).toEqual({ exitCode: 0, complaints: [] });
  expect(service.counters().byOperation).toMatchObject({ PutSnapshotBlock: 8 });
});

it('ends quietly when the reader of a volume leaves', async () => {
  const folder = await temporaryFolder();
  await makeDisk(folder);
  const env = envOf(await startService(folder));
  const { stdout } = await runCommand(['upload', 'disk.img'], { cwd: folder, env });
  const args = ['download', stdout.trim(), '-', '--no-progress'];
  const { child, result } = startUnderWatch(args, { env });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const { exitCode, stderr } = await result;
  expect({ exitCode, complaints: complaints(stderr) }).toEqual({ exitCode: 1, complaints: [] });
});
