import { execFile } from 'node:child_process';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../src/index.ts';
import { CLEAN_ENV, envOf, jsonLines, runCommand } from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { filledBlock } from '../support/memory-snapshot.ts';
import { storeSnapshot } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const execute = promisify(execFile);

const VOLUME_BYTES = 2 ** 30;

/** A service beside a folder that commands run in. */
async function setUp(): Promise<{
  readonly service: LocalService;
  readonly where: { readonly cwd: string; readonly env: Readonly<Record<string, string>> };
}> {
  const service = await startLocalService();
  return { service, where: { cwd: await temporaryFolder(), env: envOf(service.ebs) } };
}

it('takes what `diff --json` prints through a pipe, and reads nothing else', async () => {
  const { service, where } = await setUp();
  const first = await storeSnapshot(service.client, new Map([0, 1, 2].map((i) => [i, 1 + i])));
  const changes = [[1, 0] as const, [2, 9] as const, [700, 5] as const];
  const second = await storeSnapshot(service.client, new Map(changes), first);
  // Block 0 differs as well, but not by the map.
  const path = join(where.cwd, 'disk.img');
  await writeFile(path, Buffer.concat([7, 0, 9].map(filledBlock)));
  await truncate(path, VOLUME_BYTES);
  const disk = await open(path, 'r+');
  await disk.write(filledBlock(5), 0, BLOCK_SIZE, 700 * BLOCK_SIZE);
  await disk.close();

  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const command = (args: string): string => `'${process.execPath}' '${main}' ${args}`;
  const pipe = [
    command(`diff ${first} ${second} --by-digest --json`),
    command(`upload disk.img --parent-snapshot-id ${first} --changed - --json --no-progress`),
  ].join(' | ');
  const { cwd, env } = where;
  const { stdout } = await execute('sh', ['-c', pipe], { cwd, env: { ...CLEAN_ENV, ...env } });
  const end = jsonLines(stdout).at(-1) as { readonly snapshotId: string };
  expect(end).toMatchObject({ type: 'end', changedBlocksCount: 3 });
  const same = await runCommand(
    ['diff', second, end.snapshotId, '--by-digest', '--exit-code'],
    where,
  );
  expect(same).toMatchObject({ exitCode: 0, stdout: '' });
});

it('refuses a map that was cut off, and a part, before any call', async () => {
  const { service, where } = await setUp();
  await writeFile(join(where.cwd, 'disk.img'), diskOf('d'));
  const requests = service.ebs.counters().requests;
  const parent = ['--parent-snapshot-id', 'snap-0123456789abcdef0'];
  const cut = await runCommand(['upload', 'disk.img', ...parent, '--changed', '-'], {
    ...where,
    input: Buffer.from('{"type":"start"}\n{"type":"range","start":0,"length":1}\n'),
  });
  expect(cut.exitCode).toBe(2);
  expect(cut.stderr).toContain('was cut off before its line of type "end"');
  const part = ['--snapshot-id', 'snap-0123456789abcdef0', '--range', '0:0', '--manifest', 'm'];
  const ofPart = await runCommand(['upload', 'disk.img', ...part, '--changed', 'map'], where);
  expect(ofPart.exitCode).toBe(2);
  expect(ofPart.stderr).toMatch(/--changed.*--snapshot-id/);
  expect(service.ebs.counters().requests).toBe(requests);
});

it('refuses a base whose volume is larger than its child, naming both sizes', async () => {
  const { service, where } = await setUp();
  await writeFile(join(where.cwd, 'disk.img'), diskOf('d'));
  const two = ['--volume-size', '2', '--manifest', 'parent.manifest'];
  const { stdout: id } = await runCommand(['upload', 'disk.img', ...two], where);
  const parent = id.trim();
  const requests = service.ebs.counters().requests;
  const flags = ['--parent-snapshot-id', parent, '--base', 'parent.manifest'];
  const command = ['upload', 'disk.img', ...flags, '--manifest', 'child.manifest'];
  const { exitCode, stdout, stderr } = await runCommand(command, where);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('its volume of 2 GiB is larger than the 1 GiB of its child');
  expect(service.ebs.counters().requests).toBe(requests);
  await expect(readFile(join(where.cwd, 'child.manifest'))).rejects.toThrow('ENOENT');
});
