import { existsSync } from 'node:fs';
import { open, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { BLOCK_SIZE, GIB } from '../../src/base/constants.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import type { EngineChoice, RestoreOptions, RestoreResult } from '../../src/options.ts';
import { restoreSnapshot } from '../../src/restore.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { firstDifference, storeSnapshot, type Contents } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

// Whole volumes are compared here.
vi.setConfig({ testTimeout: 120_000 });

/** Data and zero blocks, the last block of the volume among them. */
const CONTENTS: Contents = new Map([
  ...Array.from({ length: 20 }, (_, index) => [index, 1 + index] as const),
  [30, 0],
  [31, 0],
  ...Array.from({ length: 20 }, (_, index) => [100 + index, 50 + index] as const),
  [2047, 99],
]);
const LAST_BLOCKS = 15;

interface Place {
  readonly folder: string;
  readonly target: string;
  readonly manifest: string;
}

describe.each<EngineChoice>(['native', 'js'])('a restore with a manifest, engine %s', (engine) => {
  it('leaves the file alone when all is done', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, CONTENTS);
    const { folder, target, manifest } = await place();
    const result = await restore(service, { engine, snapshotId, target, manifest });
    expect(result).toMatchObject({ blocksRead: CONTENTS.size, unchangedBlocks: 0 });
    expect(await readdir(folder)).toEqual(['disk.img']);
    expect(await firstDifference(target, CONTENTS)).toBeUndefined();
  });

  it('goes on where it was stopped, without force, and as sparse', async () => {
    const { service, snapshotId, place: to } = await stoppedRestore(engine);
    const result = await restore(service, { engine, snapshotId, ...to });
    expect(result.unchangedBlocks).toBeGreaterThan(0);
    expect(result.blocksRead + result.unchangedBlocks).toBe(CONTENTS.size);
    expect(await firstDifference(to.target, CONTENTS)).toBeUndefined();
    expect(await readdir(to.folder)).toEqual(['disk.img']);
    const { size, blocks } = await stat(to.target);
    expect(size).toBe(GIB);
    expect(blocks * 512).toBeLessThan((CONTENTS.size - 1) * BLOCK_SIZE);
  });

  it('brings again what was changed on the target meanwhile, also where the snapshot has nothing', async () => {
    const { service, snapshotId, place: to } = await stoppedRestore(engine);
    const file = await open(to.target, 'r+');
    await file.write(Buffer.from([0xff]), 0, 1, 2 * BLOCK_SIZE + 77);
    await file.write(Buffer.from([0xff]), 0, 1, 25 * BLOCK_SIZE + 5);
    await file.write(Buffer.from([0xff]), 0, 1, 30 * BLOCK_SIZE);
    await file.write(Buffer.from([0xff]), 0, 1, GIB - BLOCK_SIZE - 1);
    await file.write(Buffer.from([0xff]), 0, 1, GIB);
    await file.close();
    await restore(service, { engine, snapshotId, ...to });
    expect((await stat(to.target)).size).toBe(GIB);
    expect(await firstDifference(to.target, CONTENTS)).toBeUndefined();
  });

  it('refuses a file that took the place of the target, and takes it by force, whatever it holds', async () => {
    const { service, snapshotId, place: to } = await stoppedRestore(engine);
    const other = join(to.folder, 'other.img');
    await writeFile(other, Buffer.alloc(3 * BLOCK_SIZE, 0xee));
    await rename(other, to.target);
    await expect(restore(service, { engine, snapshotId, ...to })).rejects.toMatchObject({
      code: 'ERR_EBS_TARGET_EXISTS',
    });
    expect((await readFile(to.target)).every((byte) => byte === 0xee)).toBe(true);
    await restore(service, { engine, snapshotId, ...to, force: true });
    expect(await firstDifference(to.target, CONTENTS)).toBeUndefined();
  });

  it('begins anew when the target is gone', async () => {
    const { service, snapshotId, place: to } = await stoppedRestore(engine);
    await unlink(to.target);
    await restore(service, { engine, snapshotId, ...to });
    expect(await firstDifference(to.target, CONTENTS)).toBeUndefined();
  });
});

describe('a restore of a later snapshot onto an older one', () => {
  /** Of the child: a block changed, one that became zero, one that is new. */
  const CHANGES: Contents = new Map([
    [3, 200],
    [101, 0],
    [500, 77],
  ]);
  const CHILD: Contents = new Map([...CONTENTS, ...CHANGES]);

  it.each(['with the same manifest', 'with another one'])(
    'brings only what changed, %s',
    async (how) => {
      const { service, parentId, snapshotId, place: to } = await olderRestore();
      const base = to.manifest;
      const manifest = how === 'with another one' ? join(to.folder, 'new.manifest') : base;
      const { target } = to;
      const result = await restore(service, {
        snapshotId,
        target,
        manifest,
        base,
        keepManifest: true,
      });
      expect(result).toMatchObject({
        blocksRead: CHANGES.size,
        unchangedBlocks: CHILD.size - CHANGES.size,
      });
      expect(await firstDifference(target, CHILD)).toBeUndefined();
      const { facts, written } = await recordsOf(manifest);
      expect(facts).toMatchObject({
        state: 'completed',
        snapshotId,
        base: { snapshotId: parentId },
      });
      expect(written).toEqual([...CHILD.keys()].sort((a, b) => a - b));
    },
  );

  it('brings what was changed on the target too, wherever', async () => {
    const { service, snapshotId, place: to } = await olderRestore();
    await flipBit(to.target, 110 * BLOCK_SIZE + 9);
    await flipBit(to.target, 1000 * BLOCK_SIZE);
    const result = await restore(service, { snapshotId, ...pathsOf(to), base: to.manifest });
    expect(result.blocksRead).toBe(CHANGES.size + 1);
    expect(await firstDifference(to.target, CHILD)).toBeUndefined();
    expect(await readdir(to.folder)).toEqual(['disk.img']);
  });

  it('clears blocks that vanished, and forgets them', async () => {
    const { service, parentId, snapshotId: childId, place: to } = await olderRestore();
    const keep = { ...pathsOf(to), base: to.manifest, keepManifest: true };
    await restore(service, { snapshotId: childId, ...keep });
    // Back to the parent, in which the child's block 500 is not.
    const result = await restore(service, { snapshotId: parentId, ...keep });
    expect(result.blocksRead).toBe(CHANGES.size - 1);
    expect(await firstDifference(to.target, CONTENTS)).toBeUndefined();
    expect((await recordsOf(to.manifest)).written).toEqual([...CONTENTS.keys()]);
  });

  it('goes on after a stop, with the same command', async () => {
    const { service, snapshotId, place: to } = await olderRestore();
    const fault = { status: 403, type: 'AccessDeniedException' };
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 500, times: Infinity, fault });
    const options = { snapshotId, ...pathsOf(to), base: to.manifest };
    await expect(restore(service, options)).rejects.toMatchObject({ resumable: true });
    service.ebs.clearFaults();
    const result = await restore(service, options);
    expect(result.blocksRead).toBeLessThanOrEqual(CHANGES.size);
    expect(await firstDifference(to.target, CHILD)).toBeUndefined();
  });

  async function olderRestore(): Promise<{
    service: LocalService;
    parentId: string;
    snapshotId: string;
    place: Place;
  }> {
    const service = await startLocalService();
    const parentId = await storeSnapshot(service.client, CONTENTS);
    const snapshotId = await storeSnapshot(service.client, CHANGES, parentId);
    const to = await place();
    await restore(service, { snapshotId: parentId, ...pathsOf(to), keepManifest: true });
    return { service, parentId, snapshotId, place: to };
  }
});

describe('the manifest of a restore', () => {
  it('is not used for another snapshot', async () => {
    const { service, place: to } = await stoppedRestore('native');
    const snapshotId = await storeSnapshot(service.client, new Map([[0, 7]]));
    await expect(restore(service, { snapshotId, ...to })).rejects.toMatchObject({
      name: 'ManifestError',
      code: 'ERR_EBS_MANIFEST_MISMATCH',
    });
    await restore(service, { snapshotId, ...to, force: true });
    expect(await firstDifference(to.target, new Map([[0, 7]]))).toBeUndefined();
    expect(existsSync(to.manifest)).toBe(false);
  });

  it('is locked against a second run, which changes nothing', async () => {
    const { service, snapshotId, place: to } = await stoppedRestore('native');
    await using held = await Manifest.resume(to.manifest);
    expect(held.facts.state).toBe('started');
    await expect(restore(service, { snapshotId, ...to })).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_LOCKED',
    });
  });

  it('goes away with the file when nothing had been written', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, CONTENTS);
    const fault = { status: 403, type: 'AccessDeniedException' };
    service.ebs.inject({ operation: 'GetSnapshotBlock', times: Infinity, fault });
    const { folder, target, manifest } = await place();
    const failure = await restore(service, { snapshotId, target, manifest }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'ERR_EBS_ACCESS', resumable: false });
    expect(await readdir(folder)).toEqual([]);
  });

  it('finds damage in the file and in itself when it was kept', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, CONTENTS);
    const to = await place();
    await restore(service, { snapshotId, ...pathsOf(to), keepManifest: true });
    const { facts, written } = await recordsOf(to.manifest);
    expect(facts).toMatchObject({ state: 'completed', snapshotId });
    expect(written).toEqual([...CONTENTS.keys()]);

    await flipBit(to.target, 105 * BLOCK_SIZE);
    await flipBit(to.manifest, 139_264 + 64 + 3 * 32);
    const again = await restore(service, { snapshotId, ...pathsOf(to), force: true });
    // The damaged page has blocks 0 to 125; all of them are brought again.
    expect(again.blocksRead).toBe(CONTENTS.size - 1);
    expect(again.unchangedBlocks).toBe(1);
    expect(await firstDifference(to.target, CONTENTS)).toBeUndefined();
  });

  it('of an upload is never taken for one', async () => {
    const { service, snapshotId, place: to } = await stoppedRestore('native');
    const foreign = join(to.folder, 'upload.manifest');
    const made = await Manifest.create(foreign, {
      state: 'planned',
      volumeSizeGiB: 1,
      clientToken: 'token',
      parameters: {},
      zeroBlocks: 'write',
    });
    await made.close();
    const before = await readFile(foreign);
    const options = { snapshotId, target: to.target, manifest: foreign, force: true };
    await expect(restore(service, options)).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_MISMATCH',
    });
    expect((await readFile(foreign)).equals(before)).toBe(true);
  });
});

function pathsOf({ target, manifest }: Place): { target: string; manifest: string } {
  return { target, manifest };
}

async function place(): Promise<Place> {
  const folder = await temporaryFolder();
  return { folder, target: join(folder, 'disk.img'), manifest: join(folder, 'disk.img.manifest') };
}

/** A restore that was stopped for good when all but the last blocks were there. */
async function stoppedRestore(
  engine: EngineChoice,
): Promise<{ service: LocalService; snapshotId: string; place: Place }> {
  const service = await startLocalService();
  const snapshotId = await storeSnapshot(service.client, CONTENTS);
  const to = await place();
  const blockIndex = [...CONTENTS.keys()].at(-LAST_BLOCKS) ?? 0;
  const fault = { status: 403, type: 'AccessDeniedException' };
  service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex, times: Infinity, fault });
  const restoring = restore(service, {
    engine,
    snapshotId,
    ...pathsOf(to),
    maxInFlightBytes: 4 * BLOCK_SIZE,
  });
  await expect(restoring).rejects.toMatchObject({ code: 'ERR_EBS_ACCESS', resumable: true });
  expect((await readdir(to.folder)).sort()).toEqual(['disk.img', 'disk.img.manifest']);
  const { written } = await recordsOf(to.manifest);
  expect(written.length).toBeGreaterThan(CONTENTS.size - LAST_BLOCKS - 4);
  service.ebs.clearFaults();
  return { service, snapshotId, place: to };
}

async function recordsOf(path: string): Promise<{ facts: Manifest['facts']; written: number[] }> {
  await using manifest = await Manifest.open(path);
  const written: number[] = [];
  for await (const run of manifest.records()) {
    for (const { blockIndex, state } of run) if (state === 'written') written.push(blockIndex);
  }
  return { facts: manifest.facts, written };
}

async function flipBit(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, offset);
  await file.close();
}

function restore(
  { client }: LocalService,
  { folder: _folder, ...options }: Omit<RestoreOptions, 'client'> & { folder?: string },
): Promise<RestoreResult> {
  return restoreSnapshot({ client, engine: 'native', ...options });
}
