import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_SIZE,
  uploadSnapshot,
  type MappedRange,
  type SnapshotResult,
  type UploadOptions,
} from '../../src/index.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A parent of blocks 0 to 9 with a manifest, and uploads of its children. */
interface Family {
  readonly service: LocalService;
  readonly parentId: string;
  readonly path: (name: string) => string;
  readonly child: (disk: Buffer, options: Partial<UploadOptions>) => Promise<SnapshotResult>;
}

const BEFORE = diskOf('dddddddddd');
const AFTER = diskOf('dddddddddd', 7);

/** A range of blocks, and perhaps some bytes more or fewer. */
function blocks(first: number, count: number, more: Partial<MappedRange> = {}): MappedRange {
  return { start: first * BLOCK_SIZE, length: count * BLOCK_SIZE, ...more };
}

/** The parent, but for these blocks, which are the child's. */
function mixOf(disk: Buffer, changed: readonly number[]): Buffer {
  const mix = Buffer.from(BEFORE);
  for (const index of changed) {
    const at = index * BLOCK_SIZE;
    disk.copy(mix, at, at, at + BLOCK_SIZE);
  }
  return mix;
}

async function setUp(): Promise<Family> {
  const service = await startLocalService();
  const { client } = service;
  const folder = await temporaryFolder();
  const path = (name: string): string => join(folder, name);
  await writeFile(path('disk.img'), BEFORE);
  const upload = (options: Partial<UploadOptions>): Promise<SnapshotResult> =>
    uploadSnapshot({ client, source: path('disk.img'), ...options });
  const { snapshotId: parentId } = await upload({ manifest: path('parent') });
  const params = { ParentSnapshotId: parentId };
  const child: Family['child'] = async (disk, options) => {
    await writeFile(path('disk.img'), disk);
    return upload({ params, base: path('parent'), manifest: path('child'), ...options });
  };
  return { service, parentId, path, child };
}

/** The blocks that were stored in a snapshot. */
function puts({ ebs }: LocalService, id: string): number[] {
  const stored = ebs.history().filter(({ snapshotId, status, blockIndex }) => {
    return snapshotId === id && status === 201 && blockIndex !== undefined;
  });
  return stored.map(({ blockIndex = 0 }) => blockIndex).sort((a, b) => a - b);
}

describe('a map of changed ranges', () => {
  test.each(['native', 'js'] as const)('limits what is read, by the %s engine', async (engine) => {
    const { service, child } = await setUp();
    // Every block of the source differs; what the map does not name is not looked at.
    const changed = [
      blocks(4, 2, { length: BLOCK_SIZE + 1 }),
      blocks(1, 1, { depth: 0 }),
      blocks(8, 1, { depth: 1 }),
    ];
    const { snapshotId, bytesRead } = await child(AFTER, { changed, engine });
    expect(puts(service, snapshotId)).toEqual([1, 4, 5]);
    expect(bytesRead).toBe(3 * BLOCK_SIZE);
    await expectVolume(service, snapshotId, { disk: mixOf(AFTER, [1, 4, 5]), blocks: 11 });
  });

  test('sends its zeros without reading them, and no zeros that the parent has', async () => {
    const { service, child } = await setUp();
    // Blocks 2 and 3 are zero from end to end by two ranges, block 6 in part only.
    const changed = [
      blocks(2, 1, { zero: true }),
      blocks(3, 1, { zero: true, length: 100 }),
      blocks(3, 1, { zero: true, start: 3 * BLOCK_SIZE + 100, length: BLOCK_SIZE - 100 }),
      blocks(6, 1, { zero: true, length: 100 }),
    ];
    const disk = mixOf(AFTER, [6]).fill(0, 2 * BLOCK_SIZE, 4 * BLOCK_SIZE);
    const { snapshotId } = await child(AFTER, { changed });
    expect(puts(service, snapshotId)).toEqual([2, 3, 6]);
    await expectVolume(service, snapshotId, { disk, blocks: 11 });
  });

  test('with nothing in it makes a copy of the parent', async () => {
    const { service, child } = await setUp();
    const { snapshotId, changedBlocksCount } = await child(AFTER, { changed: [] });
    expect(changedBlocksCount).toBe(0);
    await expectVolume(service, snapshotId, { disk: BEFORE, blocks: 11 });
  });

  test('is enough without a base, and sends what it names', async () => {
    const { service, parentId, path } = await setUp();
    const disk = path('disk.img');
    await writeFile(disk, AFTER);
    // As long as the volume, so that nothing behind the end has to be cleared.
    await truncate(disk, 2048 * BLOCK_SIZE);
    const { snapshotId } = await uploadSnapshot({
      client: service.client,
      source: disk,
      changed: [blocks(0, 1), blocks(7, 1)],
      params: { ParentSnapshotId: parentId },
    });
    expect(puts(service, snapshotId)).toEqual([0, 7]);
    await expectVolume(service, snapshotId, { disk: mixOf(AFTER, [0, 7]), blocks: 11 });
  });

  test('of a resumed upload adds to what was sent before', async () => {
    const { service, child } = await setUp();
    const fault = { status: 400, type: 'ValidationException' };
    service.ebs.inject({ operation: 'CompleteSnapshot', fault });
    service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 5, fault });
    const first = child(AFTER, { changed: [blocks(2, 1), blocks(5, 1)] });
    await expect(first).rejects.toMatchObject({ resumable: true });
    service.ebs.clearFaults();
    // By now the source is the parent again but for block 9, and the map says no more than that.
    const disk = mixOf(AFTER, [9]);
    const { snapshotId } = await child(disk, { changed: [blocks(9, 1)], resume: true });
    await expectVolume(service, snapshotId, { disk, blocks: 11 });
  });

  test('reads a few blocks of a tebibyte', async () => {
    const { service, parentId, path } = await setUp();
    const disk = path('disk.img');
    const sizeBytes = 2 ** 40;
    await truncate(disk, sizeBytes);
    await using handle = await open(disk, 'r+');
    await handle.write(AFTER, 0, BLOCK_SIZE, sizeBytes - BLOCK_SIZE);
    const { bytesRead, changedBlocksCount } = await uploadSnapshot({
      client: service.client,
      source: disk,
      changed: [blocks(0, 1), blocks(1_000_000, 1), blocks(2 ** 21 - 1, 1)],
      params: { ParentSnapshotId: parentId },
    });
    expect({ bytesRead, changedBlocksCount }).toEqual({
      bytesRead: 3 * BLOCK_SIZE,
      changedBlocksCount: 3,
    });
  });

  const ARRAY = JSON.stringify([blocks(3, 1, { depth: 0, zero: false })]);
  const LINES = [{ type: 'start' }, { type: 'range', ...blocks(3, 1) }, { type: 'end' }];
  test.each([
    ['an array', ARRAY],
    ['lines', LINES.map((line) => `${JSON.stringify(line)}\n`).join('')],
  ])('is read from a file of %s', async (_what, text) => {
    const { service, path, child } = await setUp();
    await writeFile(path('map'), text);
    const { snapshotId } = await child(AFTER, { changed: path('map') });
    expect(puts(service, snapshotId)).toEqual([3]);
  });
});

describe('a map that cannot be', () => {
  test.each<[string, readonly unknown[] | string, RegExp]>([
    ['overlaps', [blocks(3, 2), blocks(4, 1)], /ranges that overlap, at byte 2097152$/],
    ['begins before the source', [blocks(0, 1, { start: -1 })], /number 1, .*start must be/],
    ['ends behind the source', [blocks(9, 2)], /beyond the end of the source, 5242880 bytes$/],
    ['has an empty range', [blocks(1, 0)], /length must be a whole number of bytes, at least 1$/],
    ['has half a byte', [blocks(1, 1), { start: 0.5, length: 1 }], /number 2, .*start must be/],
    ['has no ranges in it', [null], /number 1, null: start must be/],
    ['has zero in words', [{ start: 0, length: 1, zero: 'no' }], /zero must be true or false$/],
    ['is no JSON', '{{', /must be a JSON array of ranges, or one JSON object a line/],
    ['is empty', '', /must be a JSON array/],
    ['was cut off', '{"type":"start"}\n{"type":"range","start":0,"length":1}\n', /was cut off/],
  ])('because it %s, is told of in a sentence, before any call', async (_why, map, says) => {
    const { service, path, child } = await setUp();
    const requests = service.ebs.counters().requests;
    if (typeof map === 'string') await writeFile(path('map'), map);
    const changed = typeof map === 'string' ? path('map') : (map as readonly MappedRange[]);
    await expect(child(AFTER, { changed })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringMatching(says) as string,
    });
    expect(service.ebs.counters().requests).toBe(requests);
  });

  test('because it is missing, has no parent, or is of a stream', async () => {
    const { path, child } = await setUp();
    await expect(child(AFTER, { changed: path('nowhere') })).rejects.toThrow(/cannot be read from/);
    const options = { changed: [], base: undefined, params: {} } as unknown as UploadOptions;
    await expect(child(AFTER, options)).rejects.toThrow(/ParentSnapshotId must be given/);
    const source = Readable.from([AFTER]);
    await expect(child(AFTER, { changed: [], source })).rejects.toThrow(/source, as a path/);
  });
});
