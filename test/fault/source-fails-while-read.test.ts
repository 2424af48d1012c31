import { execFile } from 'node:child_process';
import { appendFile, open, readdir, truncate, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_SIZE,
  BlockReader,
  SnapshotWriter,
  SourceError,
  uploadSnapshot,
  type UploadOptions,
} from '../../src/index.ts';
import { runScript } from '../native/child-script.ts';
import { complaints, envOf, jsonLines, runCommand } from '../support/command.ts';
import { diskOf, expectedPuts } from '../support/disk-content.ts';
import { canUseFailingDisks, startFailingDisk } from '../support/failing-disk.ts';
import { HeldPuts } from '../support/held-puts.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { attachDetachable, attachLoopDevice, canUseLoopDevices } from '../support/loop-device.ts';
import { nativeThreads } from '../support/native-threads.ts';
import { openFilesBelow } from '../support/open-files.ts';
import { storedStates } from '../support/stored-states.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);

/** Twelve blocks of data: three times what the jobs below may hold. */
const DISK = diskOf('dddddddddddd');
const BUDGET_BLOCKS = 4;
const BUDGET = { maxInFlightBytes: BUDGET_BLOCKS * BLOCK_SIZE };

/** In the middle of the fourth page of block 6; a failure is known to the page. */
const BAD_BYTE = 6 * BLOCK_SIZE + 12_345;
const BAD_PAGE = 6 * BLOCK_SIZE + 12_288;

const { EIO, ENODATA, ENOTCONN } = constants.errno;

describe.skipIf(!canUseFailingDisks)('a byte that cannot be read', () => {
  it.each([
    ['EIO', 'native'],
    ['EIO', 'js'],
    ['EPERM', 'native'],
    ['ENOSPC', 'native'],
  ] as const)(
    'stops the job with its page and %s, read by the %s engine',
    async (errno, engine) => {
      const { path } = await startFailingDisk(DISK, { atByte: BAD_BYTE, errno });
      const service = await startLocalService();
      const error = await failureOf(service, { source: path, engine });
      expectReadError(error, { path, offset: BAD_PAGE, errno: constants.errno[errno] });
      await expectKept(service, error, DISK);
      await expectNothingLeft(service, path);
    },
  );

  it('leaves no snapshot when asked to delete it', async () => {
    const { path } = await startFailingDisk(DISK, { atByte: BAD_BYTE, errno: 'EIO' });
    const service = await startLocalService();
    const error = await failureOf(service, { source: path, onFailure: 'delete' });
    expectReadError(error, { path, offset: BAD_PAGE, errno: EIO });
    expect(error.snapshotId).toBeDefined();
    expect(await storedStates(service.client)).toEqual([]);
    await expectNothingLeft(service, path);
  });

  it('starts no snapshot when it is the first', async () => {
    const { path } = await startFailingDisk(DISK, { atByte: 0, errno: 'EIO' });
    const service = await startLocalService();
    const error = await failureOf(service, { source: path });
    expectReadError(error, { path, offset: 0, errno: EIO });
    expect(error.snapshotId).toBeUndefined();
    expect(service.ebs.counters().requests).toBe(0);
    await expectNothingLeft(service, path);
  });

  it('is found in a tail that is no whole page', async () => {
    const disk = DISK.subarray(0, 2 * BLOCK_SIZE + 10_000);
    const atByte = 2 * BLOCK_SIZE + 9000;
    const { path } = await startFailingDisk(disk, { atByte, errno: 'EIO' });
    const service = await startLocalService();
    const error = await failureOf(service, { source: path });
    expectReadError(error, { path, offset: 2 * BLOCK_SIZE + 8192, errno: EIO });
    await expectKept(service, error, disk);
  });

  it.skipIf(!canUseLoopDevices)('is found on a block device', async () => {
    const disk = await startFailingDisk(DISK, { atByte: BAD_BYTE, errno: 'EIO' });
    const path = await attachLoopDevice(disk.path);
    const service = await startLocalService();
    const error = await failureOf(service, { source: path });
    expectReadError(error, { path, offset: BAD_PAGE, errno: EIO });
    await expectKept(service, error, DISK);
    await expectNothingLeft(service, path);
  });

  it('stops a pipeline of reader and writer, and both with the same error', async () => {
    const { path } = await startFailingDisk(DISK, { atByte: BAD_BYTE, errno: 'EIO' });
    const service = await startLocalService();
    const reader = new BlockReader(path, { maxBufferBytes: BUDGET.maxInFlightBytes });
    const writer = new SnapshotWriter({
      client: service.client,
      params: { VolumeSize: 1 },
      ...BUDGET,
    });
    const error = await pipeline(reader, writer).catch((reason: unknown) => reason);
    await expect(writer.done()).rejects.toBe(error);
    expectReadError(error, { path, offset: BAD_PAGE, errno: EIO });
    expect(reader.closed).toBe(true);
    await expectKept(service, error as SourceError, DISK);
    await expectNothingLeft(service, path);
  });

  // A failed read past the page cache is read again through it, to find the page. If that gets the bytes, they are good.
  it.each(['native', 'js'] as const)(
    'does no harm when it can be read the second time, by the %s engine',
    async (engine) => {
      const failure = { atByte: BAD_BYTE, errno: 'EIO', isOnceOnly: true } as const;
      const disk = await startFailingDisk(DISK, failure);
      const service = await startLocalService();
      const { client } = service;
      const result = await uploadSnapshot({ source: disk.path, client, engine, ...BUDGET });
      expect(result.status).toBe('completed');
      expect(await disk.refusals()).toBe(1);
      expect(new Set(service.acknowledgedPuts())).toEqual(new Set(expectedPuts(DISK)));
      await expectNothingLeft(service, disk.path);
    },
  );
});

describe.skipIf(!canUseFailingDisks)('the command, of a byte that cannot be read', () => {
  it.each([
    [[], /is left pending; AWS cancels it after 60 minutes without a block$/, ['pending']],
    [['--on-failure', 'delete'], /was asked to be deleted \(--on-failure delete\)$/, []],
  ] as const)('says one sentence, and what is left behind with %j', async (flags, left, states) => {
    const { path } = await startFailingDisk(DISK, { atByte: BAD_BYTE, errno: 'EIO' });
    const service = await startLocalService();
    const folder = await temporaryFolder();
    const env = { ...envOf(service.ebs), TMPDIR: folder };
    const ended = await runCommand(['upload', path, '--quiet', '--memory', '2M', ...flags], {
      env,
    });
    expect(ended).toMatchObject({ exitCode: 1, stdout: '' });
    expect(complaints(ended.stderr)).toEqual([
      `ebs-snapshot: ${path}: reading failed at byte ${BAD_PAGE}: i/o error`,
      expect.stringMatching(left),
    ]);
    expect((await storedStates(service.client)).map(({ status }) => status)).toEqual(states);
    expect(service.requests('CompleteSnapshot')).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });

  it('names path, offset and errno in JSON', async () => {
    const { path } = await startFailingDisk(DISK, { atByte: BAD_BYTE, errno: 'EIO' });
    const { ebs } = await startLocalService();
    const { stdout } = await runCommand(['upload', path, '--json'], { env: envOf(ebs) });
    expect(jsonLines(stdout).at(-1)).toMatchObject({
      type: 'error',
      code: 'ERR_EBS_SOURCE_READ',
      exitCode: 1,
      path,
      offset: BAD_PAGE,
      errno: EIO,
    });
  });
});

it.skipIf(!canUseFailingDisks)('a process has nothing left to wait for', async () => {
  const { path } = await startFailingDisk(DISK, { atByte: BAD_BYTE, errno: 'EIO' });
  const { ebs } = await startLocalService();
  const index = new URL('../../dist/index.js', import.meta.url).href;
  const result = await runScript(
    `
    const { uploadSnapshot } = await import(${JSON.stringify(index)});
    const [source, env] = process.argv.slice(2);
    Object.assign(process.env, JSON.parse(env));
    const error = await uploadSnapshot({ source, maxInFlightBytes: 4 * 524288 }).catch((e) => e);
    console.log(error.code, timesOpen(source));
    console.log(process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap').join());
    await until(() => nativeThreads() === 0);
    `,
    path,
    JSON.stringify(envOf(ebs)),
  );
  // It ends by itself: nobody calls exit.
  expect(result).toEqual({
    exitCode: 0,
    signal: null,
    stdout: 'ERR_EBS_SOURCE_READ 0\n\n',
    stderr: '',
  });
});

describe('a source that changes while it is read', () => {
  it('fails at the new end of a file that was cut short', async () => {
    const path = await fileOf(DISK);
    const end = 6 * BLOCK_SIZE + 100;
    const { service, error } = await failureAfter(path, () => truncate(path, end));
    expectReadError(error, { path, offset: end, errno: ENODATA });
    await expectKept(service, error, DISK);
    await expectNothingLeft(service, path);
  });

  it('fails at the new end of a sparse file that was cut short in a hole', async () => {
    const path = await fileOf(DISK.subarray(0, 5 * BLOCK_SIZE));
    await truncate(path, 40 * BLOCK_SIZE);
    const file = await open(path, 'r+');
    await file.write(DISK, 0, BLOCK_SIZE, 39 * BLOCK_SIZE);
    await file.close();
    const end = 20 * BLOCK_SIZE + 4096;
    const { service, error } = await failureAfter(path, () => truncate(path, end));
    expectReadError(error, { path, offset: end, errno: ENODATA });
    expect(service.requests('CompleteSnapshot')).toBe(0);
    await expectNothingLeft(service, path);
  });

  it('is read to the end that it had when it was opened', async () => {
    const disk = DISK.subarray(0, 9 * BLOCK_SIZE + 777);
    const path = await fileOf(disk);
    const { service, job } = await standingStill(path);
    await appendFile(path, DISK);
    const { bytesRead, changedBlocksCount } = await job();
    expect({ bytesRead, changedBlocksCount }).toEqual({
      bytesRead: disk.length,
      changedBlocksCount: 10,
    });
    expect(new Set(service.acknowledgedPuts())).toEqual(new Set(expectedPuts(disk)));
  });

  it.skipIf(!canUseLoopDevices)('fails at the new end of a device that shrank', async () => {
    const file = await fileOf(DISK);
    const path = await attachLoopDevice(file);
    const end = 6 * BLOCK_SIZE + 5 * 512;
    const { service, error } = await failureAfter(path, async () => {
      await truncate(file, end);
      await run('losetup', ['--set-capacity', path]);
    });
    expectReadError(error, { path, offset: end, errno: ENODATA });
    await expectKept(service, error, DISK);
    await expectNothingLeft(service, path);
  });

  it.skipIf(!canUseFailingDisks)('fails where a disk was when it was unplugged', async () => {
    const { path, unplug } = await startFailingDisk(DISK);
    const { service, error } = await failureAfter(path, unplug);
    expectReadError(error, { path, offset: BUDGET_BLOCKS * BLOCK_SIZE, errno: ENOTCONN });
    await expectKept(service, error, DISK);
    await expectNothingLeft(service, path);
  });

  it.skipIf(!canUseFailingDisks || !canUseLoopDevices)(
    'fails where a block device was when it was unplugged',
    async () => {
      const { path: file, unplug } = await startFailingDisk(DISK);
      const path = await attachLoopDevice(file);
      const { service, error } = await failureAfter(path, unplug);
      // Beneath the device, the kernel may have read ahead.
      const { offset = 0 } = error;
      expect(offset).toBeGreaterThanOrEqual(BUDGET_BLOCKS * BLOCK_SIZE);
      expectReadError(error, { path, offset, errno: EIO });
      await expectKept(service, error, DISK);
      await expectNothingLeft(service, path);
    },
  );

  it.skipIf(!canUseLoopDevices)('is read to its end when its loop device is detached', async () => {
    const { path, detach } = await attachDetachable(await fileOf(DISK));
    const { service, job } = await standingStill(path);
    // The kernel takes the device away when the last that has it open closes it.
    await detach();
    expect((await job()).changedBlocksCount).toBe(12);
    expect(new Set(service.acknowledgedPuts())).toEqual(new Set(expectedPuts(DISK)));
    await expectNothingLeft(service, path);
  });
});

async function fileOf(content: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'disk.img');
  await writeFile(path, content);
  return path;
}

async function failureOf(
  { client }: LocalService,
  options: Partial<UploadOptions> & { source: string },
): Promise<SourceError> {
  const error: unknown = await uploadSnapshot({ client, ...BUDGET, ...options }).then(
    (result) => new Error(`It was uploaded: ${JSON.stringify(result)}`),
    (reason: unknown) => reason,
  );
  return error as SourceError;
}

/**
 * Starts an upload, and resolves when it can read no further: every buffer of its budget waits to be sent. `job` lets it
 * go on.
 */
async function standingStill(source: string) {
  const service = await startLocalService();
  const { client } = service;
  const puts = new HeldPuts(client);
  const result = uploadSnapshot({ source, client, engine: 'native', ...BUDGET });
  result.catch(() => undefined);
  await expect.poll(() => puts.heldCount).toBe(BUDGET_BLOCKS);
  const job = (): typeof result => {
    puts.open();
    return result;
  };
  return { service, job };
}

/** How an upload fails whose source changes while it stands still. */
async function failureAfter(source: string, change: () => Promise<unknown>) {
  const { service, job } = await standingStill(source);
  await change();
  const error = (await job().catch((reason: unknown) => reason)) as SourceError;
  return { service, error };
}

function expectReadError(
  error: unknown,
  facts: { path: string; offset: number; errno: number },
): void {
  expect(error).toBeInstanceOf(SourceError);
  expect(error).toMatchObject({ code: 'ERR_EBS_SOURCE_READ', retryable: false, ...facts });
}

/** The snapshot is pending, known by the error, and holds nothing but blocks before the failure, as they are. */
async function expectKept(
  { client, acknowledgedPuts, requests }: LocalService,
  { snapshotId, offset = 0 }: SourceError,
  disk: Uint8Array,
): Promise<void> {
  expect(await storedStates(client)).toEqual([{ snapshotId, status: 'pending' }]);
  const before = expectedPuts(disk.subarray(0, Math.floor(offset / BLOCK_SIZE) * BLOCK_SIZE));
  expect(before).toEqual(expect.arrayContaining(acknowledgedPuts()));
  expect(requests('CompleteSnapshot')).toBe(0);
}

async function expectNothingLeft({ ebs }: LocalService, path: string): Promise<void> {
  expect(await openFilesBelow(path)).toEqual([]);
  await expect.poll(() => ebs.counters().inFlight).toBe(0);
  // A thread that has closed the file and reported its end takes a moment to be gone.
  await expect.poll(nativeThreads).toEqual([]);
}
