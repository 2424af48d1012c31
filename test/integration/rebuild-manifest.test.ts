import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_SIZE,
  rebuildManifest,
  uploadSnapshot,
  type RebuildOptions,
  type RebuildResult,
  type SnapshotResult,
  type UploadOptions,
} from '../../src/index.ts';
import { sha256 } from '../../src/base/digest.ts';
import { pageOffset } from '../../src/manifest/layout.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { filledBlock } from '../support/memory-snapshot.ts';
import { expectVolume } from '../support/read-back.ts';
import { storeSnapshot } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const REFUSED = { status: 400, type: 'ValidationException', reason: 'INVALID_PARAMETER_VALUE' };

/** A service, a place for manifests, and what is done with both. */
interface Bench {
  readonly service: LocalService;
  readonly path: (name: string) => string;
  readonly rebuild: (options: Partial<RebuildOptions>) => Promise<RebuildResult>;
  readonly upload: (disk: Buffer, options?: Partial<UploadOptions>) => Promise<SnapshotResult>;
}

async function setUp(): Promise<Bench> {
  const service = await startLocalService();
  const { client } = service;
  const folder = await temporaryFolder();
  const path = (name: string): string => join(folder, name);
  return {
    service,
    path,
    rebuild: (options) =>
      rebuildManifest({ client, snapshotId: '', manifest: path('rebuilt'), ...options }),
    upload: async (disk, options = {}) => {
      await writeFile(path('disk.img'), disk);
      return uploadSnapshot({ client, source: path('disk.img'), ...options });
    },
  };
}

/** The blocks that were read and answered, in ascending order; with `since`, after so many requests. */
function blocksRead({ ebs }: LocalService, since = 0): number[] {
  return blocksOf('GetSnapshotBlock', ebs.history().slice(since));
}

/** The blocks that were stored in a snapshot, in ascending order. */
function blocksSent({ ebs }: LocalService, id: string): number[] {
  const history = ebs.history().filter(({ snapshotId }) => snapshotId === id);
  return blocksOf('PutSnapshotBlock', history);
}

function blocksOf(
  operation: string,
  history: ReturnType<LocalService['ebs']['history']>,
): number[] {
  return history
    .filter((request) => request.operation === operation && request.status < 300)
    .filter((request) => request.status !== 0)
    .map(({ blockIndex = -1 }) => blockIndex)
    .sort((a, b) => a - b);
}

/** A snapshot of 130 blocks that the SDK alone has made: its digests fill one page and a bit of the next. */
async function storeTwoPages({ client }: LocalService): Promise<string> {
  return storeSnapshot(
    client,
    new Map(Array.from({ length: 130 }, (_, index) => [index, 1 + index])),
  );
}

async function stateOf(path: string): Promise<string> {
  await using manifest = await Manifest.open(path);
  return manifest.facts.state;
}

describe('a manifest built from a snapshot', () => {
  test('has the digest of each block of it and its ancestors, and of no other', async () => {
    const { service, path, rebuild } = await setUp();
    const parent = await storeSnapshot(
      service.client,
      new Map([
        [0, 1],
        [1, 2],
        [700, 3],
      ]),
    );
    const child = await storeSnapshot(
      service.client,
      new Map([
        [1, 0],
        [2047, 4],
      ]),
      parent,
    );
    // The first answer does not match its digest, and the next one does.
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 700, fault: 'corrupt' });
    const result = await rebuild({ snapshotId: child });
    expect(result).toMatchObject({
      snapshotId: child,
      volumeSizeGiB: 1,
      blocksRead: 4,
      unchangedBlocks: 0,
      absentBlocks: 2044,
      retries: 1,
    });
    await using manifest = await Manifest.open(path('rebuilt'));
    expect(manifest.facts).toMatchObject({ state: 'completed', snapshotId: child });
    const records = [];
    for await (const run of manifest.records()) {
      records.push(...[...run].filter(({ state }) => state !== 'absent'));
    }
    const expected = [
      [0, 1],
      [1, 0],
      [700, 3],
      [2047, 4],
    ].map(([blockIndex, byte = 0]) => {
      return { blockIndex, state: 'inherited', digest: sha256(filledBlock(byte)) };
    });
    expect(records).toEqual(expected);
  });

  test('is as good a base as the one that was lost', async () => {
    const { service, path, rebuild, upload } = await setUp();
    const grandparent = await storeSnapshot(service.client, new Map([0, 1, 8].map((i) => [i, i])));
    const parent = await storeSnapshot(
      service.client,
      new Map([4, 8].map((i) => [i, 1])),
      grandparent,
    );
    await rebuild({ snapshotId: parent });
    const disk = Buffer.concat([0, 1, 0, 0, 7, 7, 0, 0, 1, 0].map(filledBlock));
    const { snapshotId, unchangedBlocks } = await upload(disk, {
      base: path('rebuilt'),
      manifest: path('child'),
      params: { ParentSnapshotId: parent },
    });
    expect(blocksSent(service, snapshotId)).toEqual([4, 5]);
    expect(unchangedBlocks).toBe(2048 - 2);
    await expectVolume(service, snapshotId, { disk, blocks: 16 });
  });

  test('of an encrypted snapshot lets zeros be sent where nothing is known', async () => {
    const { service, path, rebuild, upload } = await setUp();
    const parent = await upload(diskOf('ddd'), { params: { Encrypted: true } });
    await rebuild({ snapshotId: parent.snapshotId });
    const { snapshotId } = await upload(diskOf('ddd0'), {
      base: path('rebuilt'),
      manifest: path('child'),
      params: { ParentSnapshotId: parent.snapshotId },
    });
    expect(blocksSent(service, snapshotId)).toHaveLength(2048 - 3);
  });

  test('is no base before it is whole, and goes on without reading a block twice', async () => {
    const { service, path, rebuild, upload } = await setUp();
    const snapshotId = await storeTwoPages(service);
    service.ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 100, fault: REFUSED });
    const failed = rebuild({ snapshotId, maxInFlightBytes: 8 * BLOCK_SIZE });
    await expect(failed).rejects.toMatchObject({ blockIndex: 100, resumable: true });
    expect(await stateOf(path('rebuilt'))).toBe('started');
    const child = upload(diskOf('d'), {
      base: path('rebuilt'),
      manifest: path('child'),
      params: { ParentSnapshotId: snapshotId },
    });
    await expect(child).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_MISMATCH',
      message: expect.stringContaining('is started, not completed') as string,
    });
    const before = service.ebs.history().length;
    await using manifest = await Manifest.open(path('rebuilt'));
    const isKnown = new Set<number>();
    for await (const run of manifest.records()) {
      for (const { blockIndex, state } of run) if (state === 'inherited') isKnown.add(blockIndex);
    }
    expect(isKnown.size).toBeGreaterThanOrEqual(90);
    const { blocksRead: readNow, unchangedBlocks } = await rebuild({ snapshotId, resume: true });
    const missing = Array.from({ length: 130 }, (_, i) => i).filter((i) => !isKnown.has(i));
    expect(blocksRead(service, before)).toEqual(missing);
    expect({ readNow, unchangedBlocks }).toEqual({
      readNow: missing.length,
      unchangedBlocks: isKnown.size,
    });
    // Once more, and nothing is left to read.
    expect(await rebuild({ snapshotId, resume: true })).toMatchObject({ blocksRead: 0 });
  });

  test.each([
    ['bent', (path: string) => patch(path, pageOffset(1) + 100), [126, 127, 128, 129]],
    ['cut off', (path: string) => truncate(path, pageOffset(1)), [126, 127, 128, 129]],
  ])('with a page that was %s reads the blocks of that page alone', async (_what, harm, blocks) => {
    const { service, path, rebuild, upload } = await setUp();
    const parent = await storeTwoPages(service);
    await rebuild({ snapshotId: parent });
    await harm(path('rebuilt'));
    const before = service.ebs.history().length;
    const { unchangedBlocks } = await rebuild({ snapshotId: parent, resume: true });
    expect(unchangedBlocks).toBe(126);
    expect(blocksRead(service, before)).toEqual(blocks);
    expect(await stateOf(path('rebuilt'))).toBe('completed');
    // Absent blocks of the page are absent again, and need not be sent.
    const { snapshotId } = await upload(Buffer.alloc(200 * BLOCK_SIZE), {
      base: path('rebuilt'),
      manifest: path('child'),
      params: { ParentSnapshotId: parent },
    });
    expect(blocksSent(service, snapshotId)).toHaveLength(130);
  });

  test('never takes the place of a file, nor of another manifest', async () => {
    const { service, path, rebuild, upload } = await setUp();
    const snapshotId = await storeTwoPages(service);
    await writeFile(path('rebuilt'), 'precious');
    await expect(rebuild({ snapshotId })).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_EXISTS',
    });
    expect(await readFile(path('rebuilt'), 'utf8')).toBe('precious');

    const mismatch = { code: 'ERR_EBS_MANIFEST_MISMATCH' };
    const own = await upload(diskOf('d'), { manifest: path('own') });
    const intoOwn = rebuild({ snapshotId: own.snapshotId, manifest: path('own'), resume: true });
    await expect(intoOwn).rejects.toMatchObject(mismatch);

    await rebuild({ snapshotId, manifest: path('first') });
    const other = rebuild({ snapshotId: own.snapshotId, manifest: path('first'), resume: true });
    await expect(other).rejects.toMatchObject(mismatch);
    await expect(
      upload(diskOf('d'), { manifest: path('first'), resume: true }),
    ).rejects.toMatchObject(mismatch);
    expect(blocksRead(service)).toHaveLength(130);
  });

  test('is of a snapshot that can be read, or is not made at all', async () => {
    const { path, rebuild } = await setUp();
    const failed = rebuild({ snapshotId: 'snap-0123456789abcdef0' });
    await expect(failed).rejects.toMatchObject({ code: 'ERR_EBS_SERVICE' });
    await expect(open(path('rebuilt'))).rejects.toThrow('ENOENT');
  });
});

/** Flips a bit. */
async function patch(path: string, offset: number): Promise<void> {
  await using handle = await open(path, 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset);
  await handle.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, offset);
}
