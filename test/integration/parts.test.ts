import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  completeSnapshot,
  startSnapshot,
  uploadSnapshot,
  type BlockRange,
  type CompleteResult,
  type SnapshotResult,
  type UploadOptions,
} from '../../src/index.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { diskOf, expectedPuts } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const VOLUME_BLOCKS = 2048;

/** A disk of twelve blocks, ten of them data, and a snapshot that was started for it. */
interface Bench {
  readonly service: LocalService;
  readonly disk: Buffer;
  readonly source: string;
  readonly snapshotId: string;
  readonly pathOf: (name: string) => string;
  /** Uploads a range; zeros are left out unless said otherwise, and most of the volume is. */
  readonly part: (
    name: string,
    range: BlockRange,
    options?: Partial<UploadOptions>,
  ) => Promise<SnapshotResult>;
  readonly complete: (...names: string[]) => Promise<CompleteResult>;
}

async function setUp(): Promise<Bench> {
  const service = await startLocalService();
  const { client } = service;
  const folder = await temporaryFolder();
  const disk = diskOf('d0dddd0ddddd');
  const source = join(folder, 'disk.img');
  await writeFile(source, disk);
  const { SnapshotId: snapshotId } = await startSnapshot({ client, params: { VolumeSize: 1 } });
  const pathOf = (name: string): string => join(folder, name);
  const part: Bench['part'] = (name, range, options = {}) => {
    const manifest = pathOf(name);
    const zeroBlocks = 'omit';
    return uploadSnapshot({ client, source, snapshotId, range, manifest, zeroBlocks, ...options });
  };
  const complete: Bench['complete'] = (...names) =>
    completeSnapshot({ client, snapshotId, manifests: names.map(pathOf) });
  return { service, disk, source, snapshotId, pathOf, part, complete };
}

/** The two halves of the volume; the source ends in the first. */
async function uploadHalves({ part }: Bench): Promise<void> {
  await part('a', { endBlock: 1000 });
  await part('b', { firstBlock: 1000 });
}

test('parts make the snapshot that one upload would make', async () => {
  const bench = await setUp();
  const { service, disk, snapshotId, part, complete } = bench;
  // Out of order, cut inside of the source and inside of a page, and overlapping.
  const all = { zeroBlocks: 'write' } as const;
  expect(await part('c', { firstBlock: 9 }, all)).toMatchObject({ status: 'sent' });
  expect(await part('a', { endBlock: 5 }, all)).toMatchObject({ changedBlocksCount: 5 });
  expect(await part('b', { firstBlock: 3, endBlock: 130 }, all)).toMatchObject({ snapshotId });
  expect(service.requests('CompleteSnapshot')).toBe(0);
  expect(await complete('b', 'a', 'c')).toMatchObject({
    snapshotId,
    status: 'completed',
    changedBlocksCount: VOLUME_BLOCKS,
    partsCount: 3,
    volumeSizeGiB: 1,
  });
  await expectVolume(service, snapshotId, { disk, blocks: 20 });
  // Again, as after a crash: the manifests know that it was theirs.
  expect(await complete('a', 'b', 'c')).toMatchObject({ status: 'completed' });
});

test('parts that leave zeros out send data alone', async () => {
  const bench = await setUp();
  await uploadHalves(bench);
  expect(await bench.complete('a', 'b')).toMatchObject({ changedBlocksCount: 10 });
  const { service, disk, snapshotId } = bench;
  await expectVolume(service, snapshotId, { disk, blocks: 20 });
});

test('zeros left out of a snapshot with a parent are found out', async () => {
  const { service, source, pathOf } = await setUp();
  const { client } = service;
  const parent = await uploadSnapshot({ client, source });
  const params = { VolumeSize: 1, ParentSnapshotId: parent.snapshotId };
  const { SnapshotId: snapshotId } = await startSnapshot({ client, params });
  const manifest = pathOf('whole');
  await uploadSnapshot({ client, source, snapshotId, range: {}, manifest, zeroBlocks: 'omit' });
  const completed = completeSnapshot({ client, snapshotId, manifests: [manifest] });
  await expect(completed).rejects.toMatchObject({ code: 'ERR_EBS_SNAPSHOT_FAILED' });
});

test('a part that failed leaves the snapshot pending, and goes on', async () => {
  const bench = await setUp();
  const { service, disk, snapshotId, part, complete } = bench;
  const fault = { status: 400, type: 'ValidationException', reason: 'INVALID_PARAMETER_VALUE' };
  service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 7, fault });
  const failure = { code: 'ERR_EBS_SERVICE', blockIndex: 7, resumable: true };
  await expect(part('a', { endBlock: 1000 })).rejects.toMatchObject(failure);
  await part('b', { firstBlock: 1000 });
  const incomplete = { code: 'ERR_EBS_PARTS_INCOMPLETE', resumable: true };
  await expect(complete('a', 'b')).rejects.toMatchObject(incomplete);
  expect(service.requests('CompleteSnapshot')).toBe(0);
  const resumed = await part('a', { endBlock: 1000 }, { resume: true });
  expect(resumed).toMatchObject({ changedBlocksCount: 10, status: 'sent' });
  await complete('a', 'b');
  await expectVolume(service, snapshotId, { disk, blocks: 20 });
});

describe('parts are refused before any call', () => {
  test.each([
    ['with a gap between them', [{ endBlock: 8 }, { firstBlock: 9 }], 'blocks 8 to 8 are'],
    ['with a gap at the end', [{ endBlock: 20 }, { endBlock: 2047 }], 'blocks 2047 to 2047'],
  ])('%s', async (_name, ranges, says) => {
    const { service, part, complete } = await setUp();
    for (const [at, range] of ranges.entries()) await part(String(at), range);
    await expect(complete('0', '1')).rejects.toMatchObject({
      code: 'ERR_EBS_PARTS_INCOMPLETE',
      message: expect.stringContaining(says) as string,
    });
    expect(service.requests('CompleteSnapshot')).toBe(0);
  });

  test('that contradict each other', async () => {
    const { source, part, complete } = await setUp();
    await part('a', { endBlock: 1000 });
    await writeFile(source, diskOf('d0dddd0ddddd', 9));
    await part('b', { firstBlock: 11 });
    await expect(complete('a', 'b')).rejects.toMatchObject({
      code: 'ERR_EBS_PARTS_CONFLICT',
      message: expect.stringContaining('block 11 is not the same') as string,
    });
  });

  test('of another snapshot, source, zero policy or volume size', async () => {
    const bench = await setUp();
    const { service, pathOf, complete, part } = bench;
    const { client } = service;
    await part('a', { endBlock: 1000 });
    const other = pathOf('other.img');
    await writeFile(other, diskOf('d'));
    await part('source', { firstBlock: 1000 }, { source: other });
    await part('zeros', { firstBlock: 2040 }, { zeroBlocks: 'write' });
    const another = await startSnapshot({ client, params: { VolumeSize: 1 } });
    await part('snapshot', { firstBlock: 1000 }, { snapshotId: another.SnapshotId });
    for (const name of ['source', 'zeros', 'snapshot']) {
      await expect(complete('a', name)).rejects.toMatchObject({
        code: 'ERR_EBS_MANIFEST_MISMATCH',
      });
    }
    const larger = part('size', { firstBlock: 1000 }, { params: { VolumeSize: 2 } });
    await expect(larger).rejects.toMatchObject({ code: 'ERR_EBS_VOLUME_MISMATCH' });
  });

  test('one of which is in use, or in doubt', async () => {
    const bench = await setUp();
    await uploadHalves(bench);
    const { pathOf, complete } = bench;
    const held = await Manifest.resume(pathOf('b'));
    await expect(complete('a', 'b')).rejects.toMatchObject({ code: 'ERR_EBS_MANIFEST_LOCKED' });
    await held.doubt(1500);
    await held.close();
    await expect(complete('a', 'b')).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_DOUBTFUL',
      resumable: true,
    });
  });

  test('of a whole upload', async () => {
    const { service, source, pathOf } = await setUp();
    const { client } = service;
    const { snapshotId } = await uploadSnapshot({ client, source, manifest: pathOf('whole') });
    const completed = completeSnapshot({ client, snapshotId, manifests: [pathOf('whole')] });
    await expect(completed).rejects.toThrow('is not of a part');
  });
});

test('a snapshot that another completed takes neither a part nor its end', async () => {
  const bench = await setUp();
  const { service, disk, snapshotId, part, complete, pathOf } = bench;
  await uploadHalves(bench);
  await complete('a', 'b');
  await expect(part('late', {})).rejects.toMatchObject({ code: 'ERR_EBS_SNAPSHOT_SEALED' });
  for (const name of ['a', 'b']) {
    await using manifest = await Manifest.resume(pathOf(name));
    await manifest.update({ state: 'sent' });
  }
  const sealed = { code: 'ERR_EBS_SNAPSHOT_SEALED', snapshotId };
  await expect(complete('a', 'b')).rejects.toMatchObject(sealed);
  expect(service.acknowledgedPuts()).toEqual(expectedPuts(disk, { omitZeros: true }));
});

test.each([
  [{ range: { endBlock: 4 } }, /snapshotId must be given together with range/],
  [{ snapshotId: 'snap-1' }, /range must be given together with snapshotId/],
  [{ snapshotId: 'snap-1', range: {} }, /manifest must be given together with range/],
  [{ snapshotId: 'snap-1', range: { firstBlock: 4, endBlock: 4 }, manifest: 'm' }, /at least one/],
  [{ snapshotId: 'snap-1', range: {}, manifest: 'm', base: 'b' }, /base/],
  [{ snapshotId: 'snap-1', range: {}, manifest: 'm', waitUntil: 'accepted' }, /waitUntil/],
  [
    { snapshotId: 'snap-1', range: {}, manifest: 'm', params: { Description: 'x' } },
    /params.Description cannot be given together with snapshotId/,
  ],
] as [Partial<UploadOptions>, RegExp][])('wrong use is refused: %j', async (options, says) => {
  await expect(uploadSnapshot({ source: 'disk.img', ...options })).rejects.toThrow(says);
});
