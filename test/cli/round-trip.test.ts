import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LocalEbs } from '../../src/local.ts';
import {
  complaints,
  envOf,
  jsonLines,
  runCommand,
  type CommandResult,
} from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const GIB = 1024 ** 3;
/** As long as the longest piece that a volume is read in. */
const ZEROS = Buffer.alloc(4 * 1_048_576);

/** A disk with data, a block of zeros, and an end within a sector. */
async function makeDisk(folder: string): Promise<Buffer> {
  const disk = Buffer.concat([randomBytes(1_500_000), Buffer.alloc(1_048_576), randomBytes(777)]);
  await writeFile(join(folder, 'disk.img'), disk);
  return disk;
}

async function startService(folder: string): Promise<LocalEbs> {
  const service = await LocalEbs.start({ directory: join(folder, 'service') });
  onTestFinished(() => service.close());
  return service;
}

function expectDone({ exitCode, stderr }: CommandResult): void {
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
}

/** Compares a volume, piece by piece, with what a disk becomes: its bytes, then zeros up to a whole GiB. */
class VolumeCheck {
  readonly #disk: Buffer;
  #offset = 0;
  #isEqual = true;

  constructor(disk: Buffer) {
    this.#disk = disk;
  }

  update(chunk: Buffer): void {
    const disk = this.#disk.subarray(this.#offset, this.#offset + chunk.length);
    const rest = chunk.subarray(disk.length);
    this.#isEqual &&= chunk.subarray(0, disk.length).equals(disk);
    this.#isEqual &&= rest.equals(ZEROS.subarray(0, rest.length));
    this.#offset += chunk.length;
  }

  finish(): void {
    expect({ sizeBytes: this.#offset, isEqual: this.#isEqual }).toEqual({
      sizeBytes: GIB,
      isEqual: true,
    });
  }
}

async function expectVolume(path: string, disk: Buffer): Promise<void> {
  const check = new VolumeCheck(disk);
  const file = createReadStream(path, { highWaterMark: ZEROS.length });
  for await (const chunk of file) check.update(chunk as Buffer);
  check.finish();
}

it('takes a file to a snapshot and back on a folder, with nothing else to set up', async () => {
  const folder = await temporaryFolder();
  const disk = await makeDisk(folder);
  const upload = await runCommand(['upload', 'disk.img', '--local', 'snapshots'], { cwd: folder });
  expectDone(upload);
  expect(upload.stdout).toMatch(/^snap-[0-9a-f]{17}\n$/);
  const args = ['download', upload.stdout.trim(), 'copy.img', '--local', 'snapshots'];
  const download = await runCommand(args, { cwd: folder });
  expectDone(download);
  expect(download.stdout).toBe('');
  await expectVolume(join(folder, 'copy.img'), disk);
});

it('takes stdin to a snapshot on a service, and the snapshot to stdout', async () => {
  const folder = await temporaryFolder();
  const disk = await makeDisk(folder);
  const env = envOf(await startService(folder));
  const args = ['upload', '-', '--volume-size', '1', '--quiet'];
  const upload = await runCommand(args, { env, input: disk });
  expectDone(upload);
  expect(complaints(upload.stderr)).toEqual([]);
  const check = new VolumeCheck(disk);
  const onOutput = (chunk: Buffer): void => check.update(chunk);
  expectDone(await runCommand(['download', upload.stdout.trim(), '-'], { env, onOutput }));
  check.finish();
});

it('finds region, endpoint and credentials in flags and environment alike', async () => {
  const folder = await temporaryFolder();
  await makeDisk(folder);
  const service = await startService(folder);
  const { AWS_ENDPOINT_URL: endpoint = '', AWS_REGION: region = '', ...secrets } = envOf(service);
  const upload = ['upload', 'disk.img', '--wait', 'accepted'];
  const inFlags = ['--endpoint-url', endpoint, '--region', region];
  expectDone(await runCommand([...upload, ...inFlags], { cwd: folder, env: secrets }));
  const env = { ...secrets, AWS_ENDPOINT_URL_EBS: endpoint, AWS_DEFAULT_REGION: 'eu-north-1' };
  expectDone(await runCommand(upload, { cwd: folder, env }));

  await writeFile(join(folder, 'config'), `[profile lab]\nregion = ${region}\n`);
  await writeFile(
    join(folder, 'credentials'),
    `[lab]\naws_access_key_id = ${secrets.AWS_ACCESS_KEY_ID ?? ''}\n` +
      `aws_secret_access_key = ${secrets.AWS_SECRET_ACCESS_KEY ?? ''}\n`,
  );
  const files = {
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_ENDPOINT_URL: endpoint,
  };
  expectDone(await runCommand([...upload, '--profile', 'lab'], { cwd: folder, env: files }));
});

it('ends with 7 when credentials, region or permission are missing', async () => {
  const folder = await temporaryFolder();
  await makeDisk(folder);
  const service = await startService(folder);
  const env = envOf(service);
  const wrong = { ...env, AWS_SECRET_ACCESS_KEY: 'not-the-secret' };
  const { AWS_REGION: _, ...noRegion } = env;
  const noCredentials = { AWS_ENDPOINT_URL: service.endpoint, AWS_REGION: service.region };
  for (const attempt of [wrong, noRegion, noCredentials]) {
    const result = await runCommand(['upload', 'disk.img'], { cwd: folder, env: attempt });
    expect(complaints(result.stderr)).toHaveLength(1);
    expect(result).toMatchObject({ exitCode: 7, stdout: '' });
  }
});

it('prints one JSON object a line, each with a type', async () => {
  const folder = await temporaryFolder();
  const disk = await makeDisk(folder);
  const env = envOf(await startService(folder));
  const describing = ['--description', 'a disk', '--tag', 'Name=web', '--tag', 'empty='];
  const args = ['upload', 'disk.img', '--json', ...describing];
  const { exitCode, stdout, stderr } = await runCommand(args, { cwd: folder, env });
  expect({ exitCode, complaints: complaints(stderr) }).toEqual({ exitCode: 0, complaints: [] });
  const events = jsonLines(stdout);
  const [start, snapshot] = events;
  expect(start).toEqual({ type: 'start', command: 'upload', source: 'disk.img' });
  expect(snapshot).toMatchObject({
    type: 'snapshot',
    snapshotId: expect.stringMatching(/^snap-/) as string,
    volumeSizeGiB: 1,
    blockSize: 524_288,
    status: 'pending',
    description: 'a disk',
    tags: [
      { Key: 'Name', Value: 'web' },
      { Key: 'empty', Value: '' },
    ],
  });
  expect(events.at(-2)).toMatchObject({
    type: 'progress',
    bytesDone: disk.length,
    bytesTotal: disk.length,
    inFlight: 0,
  });
  expect(events.at(-1)).toMatchObject({
    type: 'end',
    snapshotId: snapshot?.snapshotId,
    status: 'completed',
    bytesRead: disk.length,
    changedBlocksCount: 5,
  });
});

it('writes over an existing target only with --force', async () => {
  const folder = await temporaryFolder();
  const disk = await makeDisk(folder);
  const env = envOf(await startService(folder));
  const { stdout } = await runCommand(['upload', 'disk.img'], { cwd: folder, env });
  await writeFile(join(folder, 'old.img'), 'old');
  const args = ['download', stdout.trim(), 'old.img'];
  const refused = await runCommand(args, { cwd: folder, env });
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain('--force');
  expect(await readFile(join(folder, 'old.img'), 'utf8')).toBe('old');
  expectDone(await runCommand([...args, '--force'], { cwd: folder, env }));
  await expectVolume(join(folder, 'old.img'), disk);
});

it('says what is left when the service fails an upload for good', async () => {
  const folder = await temporaryFolder();
  await makeDisk(folder);
  const service = await startService(folder);
  service.inject({
    operation: 'PutSnapshotBlock',
    fault: { status: 403, type: 'AccessDeniedException', message: 'Not allowed.' },
  });
  const args = ['upload', 'disk.img', '--json'];
  const result = await runCommand(args, { cwd: folder, env: envOf(service) });
  expect(result.exitCode).toBe(7);
  expect(complaints(result.stderr)).toEqual([
    expect.stringMatching(/^ebs-snapshot: .*Not allowed/),
    expect.stringMatching(/^ebs-snapshot: snapshot snap-\w+ is left pending; /),
  ]);
  expect(jsonLines(result.stdout).at(-1)).toMatchObject({
    type: 'error',
    code: 'ERR_EBS_ACCESS',
    exitCode: 7,
    snapshotId: expect.stringMatching(/^snap-/) as string,
    remains: expect.stringContaining('pending') as string,
  });
});
