import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { BLOCK_SIZE, GIB } from '../../src/base/constants.ts';
import type { RestoreOptions, RestoreResult } from '../../src/options.ts';
import { restoreSnapshot } from '../../src/restore.ts';
import { uploadSnapshot } from '../../src/upload.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { attachLoopDevice, canUseLoopDevices, mount } from '../support/loop-device.ts';
import { haveTools } from '../support/required-tool.ts';
import { seededRandom } from '../support/seeded-random.ts';
import {
  firstDifference,
  randomContents,
  storeSnapshot,
  type Contents,
} from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);

vi.setConfig({ testTimeout: 120_000 });

const CONTENTS: Contents = new Map(
  Array.from({ length: 24 }, (_, index) => [index * 80, 1 + index]),
);

describe.skipIf(!canUseLoopDevices)('a restore to a device (needs root, losetup and mount)', () => {
  it.each(['512', '4096'])(
    'full of old bytes, with sectors of %s bytes, is equal',
    async (sector) => {
      const service = await startLocalService();
      const contents = randomContents(seededRandom(Number(sector)), 0.03);
      const snapshotId = await storeSnapshot(service.client, contents);
      const image = join(await temporaryFolder(), 'loop.img');
      await fillOld(image, GIB);
      const device = await attachLoopDevice(image);
      await run('losetup', ['--sector-size', sector, device]);
      await restore(service, { snapshotId, target: device, force: true });
      expect(await firstDifference(device, contents)).toBeUndefined();
    },
  );

  it('goes on after a stop, and brings what was changed meanwhile', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, CONTENTS);
    const folder = await temporaryFolder();
    const image = join(folder, 'loop.img');
    await fillOld(image, GIB);
    const target = await attachLoopDevice(image);
    const options = { snapshotId, target, force: true, manifest: join(folder, 'manifest') };
    await stopAt(service, 20 * 80, options);
    const file = await open(target, 'r+');
    await file.write(Buffer.alloc(512, 0x11), 0, 512, 3 * 80 * BLOCK_SIZE);
    await file.write(Buffer.alloc(512, 0x11), 0, 512, 7 * BLOCK_SIZE);
    await file.close();
    const { unchangedBlocks } = await restore(service, options);
    expect(unchangedBlocks).toBeGreaterThan(0);
    expect(await firstDifference(target, CONTENTS)).toBeUndefined();
    expect(await readdir(folder)).toEqual(['loop.img']);
  });

  it('that fails under it is told in one sentence, and goes on once it is whole', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, CONTENTS);
    const folder = await temporaryFolder();
    const small = join(folder, 'small');
    await mkdir(small);
    await mount('tmpfs', small, '-t', 'tmpfs', '-o', 'size=6m');
    // A device whose backing has no room any more fails as one that is pulled out does: with EIO.
    const image = join(small, 'loop.img');
    await writeFile(image, '');
    await truncate(image, GIB);
    const target = await attachLoopDevice(image);
    const manifest = join(folder, 'manifest');
    const options = { snapshotId, target, force: true, targetIsZero: true, manifest };
    const failure = (await restore(service, options).catch((e: unknown) => e)) as Error;
    expect(failure).toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_WRITE',
      path: target,
      resumable: true,
    });
    expect(failure.message).toMatch(/^(writing|clearing) "\/dev\/loop\d+" .*\((EIO|ENOSPC)\)$/);
    await run('mount', ['-o', 'remount,size=32m', small]);
    await restore(service, options);
    expect(await firstDifference(target, CONTENTS)).toBeUndefined();
  });

  it('is refused while a partition of it is in use, and says by what', async ({ skip }) => {
    const image = join(await temporaryFolder(), 'disk.img');
    await writeFile(image, '');
    await truncate(image, GIB);
    await writePartitionTable(image, [{ kind: 'ext4', offset: 1024 * 1024, sizeBytes: GIB / 2 }]);
    const device = await attachLoopDevice(image);
    await run('partx', ['--add', device]).catch(() => undefined);
    const hasPartition = await stat(`${device}p1`).then(
      () => true,
      () => false,
    );
    skip(!hasPartition, 'the kernel shows no partitions of loop devices');
    await run('mkfs.ext4', ['-q', `${device}p1`]);
    const folder = join(await temporaryFolder(), 'mnt');
    await mkdir(folder);
    await mount(`${device}p1`, folder);
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, CONTENTS);
    await expect(restore(service, { snapshotId, target: device, force: true })).rejects.toThrow(
      `(EBUSY): ${basename(device)}p1 is mounted on "${folder}"`,
    );
  });

  it('brings back file systems that mount', async (test) => {
    test.skip(!(await haveTools('mkfs.ext4', 'mkfs.xfs', 'fsck.ext4')), 'mkfs is not installed');
    const folder = await temporaryFolder();
    const image = join(folder, 'disk.img');
    await writeFile(image, '');
    await truncate(image, GIB);
    const parts = [
      { kind: 'ext4', offset: 1024 * 1024, sizeBytes: 400 * 1024 * 1024 },
      { kind: 'xfs', offset: 500 * 1024 * 1024, sizeBytes: 400 * 1024 * 1024 },
    ];
    await writePartitionTable(image, parts);
    for (const part of parts) await makePartition(image, part);
    const service = await startLocalService();
    const { client } = service;
    const { snapshotId } = await uploadSnapshot({ client, source: image });
    const copy = join(folder, 'copy.img');
    await fillOld(copy, GIB);
    const device = await attachLoopDevice(copy);
    await restore(service, { snapshotId, target: device, force: true });
    await run('cmp', ['-n', String(GIB), image, device]);
    for (const part of parts) await expectMounts(device, part);
  });
});

describe.skipIf(!canUseLoopDevices)('a restore to a file (needs root and mount)', () => {
  it('whose disk is full goes on once there is room', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, CONTENTS);
    const folder = await temporaryFolder();
    const small = join(folder, 'small');
    await mkdir(small);
    await mount('tmpfs', small, '-t', 'tmpfs', '-o', 'size=6m');
    const target = join(small, 'disk.img');
    const options = { snapshotId, target, manifest: join(folder, 'manifest') };
    await expect(restore(service, options)).rejects.toMatchObject({
      code: 'ERR_EBS_TARGET_WRITE',
      errno: constants.errno.ENOSPC,
      resumable: true,
    });
    await run('mount', ['-o', 'remount,size=32m', small]);
    const { unchangedBlocks } = await restore(service, options);
    expect(unchangedBlocks).toBeGreaterThan(0);
    expect(await firstDifference(target, CONTENTS)).toBeUndefined();
  });
});

interface Partition {
  readonly kind: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A master boot record with primary partitions, as the kernel and every tool read it. */
async function writePartitionTable(image: string, parts: readonly Partition[]): Promise<void> {
  const record = Buffer.alloc(512);
  parts.forEach(({ offset, sizeBytes }, index) => {
    const at = 446 + index * 16;
    record[at + 4] = 0x83;
    record.writeUInt32LE(offset / 512, at + 8);
    record.writeUInt32LE(sizeBytes / 512, at + 12);
  });
  record.writeUInt16LE(0xaa55, 510);
  const file = await open(image, 'r+');
  await file.write(record, 0, 512, 0);
  await file.close();
}

/** Makes a file system in a partition, with a file in it. */
async function makePartition(image: string, part: Partition): Promise<void> {
  const { kind, offset, sizeBytes } = part;
  const place = ['--offset', String(offset), '--sizelimit', String(sizeBytes)];
  const { stdout } = await run('losetup', ['--find', '--show', ...place, image]);
  const device = stdout.trim();
  try {
    await run(`mkfs.${kind}`, ['-q', device]);
    await withMount(device, async (folder) => {
      for (let index = 0; index < 40; index += 1) {
        await writeFile(join(folder, `file-${index}`), Buffer.alloc(50_000 + index, index));
      }
      await rm(join(folder, 'file-7'));
    });
  } finally {
    await run('losetup', ['--detach', device]);
  }
}

async function expectMounts(disk: string, { kind, offset, sizeBytes }: Partition): Promise<void> {
  const place = ['--offset', String(offset), '--sizelimit', String(sizeBytes)];
  const { stdout } = await run('losetup', ['--find', '--show', ...place, disk]);
  const device = stdout.trim();
  try {
    if (kind === 'ext4') await run('fsck.ext4', ['-f', '-n', device]);
    else await run('xfs_repair', ['-n', device]);
    await withMount(device, async (folder) => {
      const names = (await readdir(folder)).filter((name) => name.startsWith('file-'));
      expect(names).toHaveLength(39);
      const last = await readFile(join(folder, 'file-39'));
      expect(last.equals(Buffer.alloc(50_039, 39))).toBe(true);
    });
  } finally {
    await run('losetup', ['--detach', device]);
  }
}

async function withMount(device: string, use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await temporaryFolder();
  await run('mount', [device, folder]);
  try {
    await use(folder);
  } finally {
    await run('umount', [folder]);
  }
}

/** Makes a sparse file of old bytes at its start, middle and end. */
async function fillOld(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w');
  const old = Buffer.alloc(8 * BLOCK_SIZE, 0xee);
  for (const at of [0, sizeBytes / 2, sizeBytes - old.length]) {
    await file.write(old, 0, old.length, at);
  }
  await file.close();
}

async function stopAt(
  service: LocalService,
  blockIndex: number,
  options: Omit<RestoreOptions, 'client'>,
): Promise<void> {
  const fault = { status: 403, type: 'AccessDeniedException' };
  service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex, times: Infinity, fault });
  const restoring = restore(service, { ...options, maxInFlightBytes: 4 * BLOCK_SIZE });
  await expect(restoring).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS', resumable: true });
  service.ebs.clearFaults();
}

function restore(
  { client }: LocalService,
  options: Omit<RestoreOptions, 'client'>,
): Promise<RestoreResult> {
  return restoreSnapshot({ client, engine: 'native', ...options });
}
