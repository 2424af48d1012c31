import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadNative } from '../../src/engine/load-native.ts';
import { pageOffset, SEGMENT_MAP_OFFSET } from '../../src/manifest/layout.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { digestNumber, plannedFacts } from '../support/manifest.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const tryLock = loadNative().lockFile;

/** A manifest of 1 GiB with blocks 0 to 999 written, in pages 0 to 7. */
async function writtenManifest(): Promise<string> {
  const path = join(await temporaryFolder(), 'vol.manifest');
  await using manifest = await Manifest.create(path, plannedFacts(), { tryLock });
  for (let index = 0; index < 1000; index += 1) manifest.record(index, digestNumber(index));
  return path;
}

async function patch(path: string, offset: number, bytes: Buffer): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.byteLength, offset);
}

/** Checks that blocks of page 2 alone are doubtful, before and after a new record in it. */
async function expectPageTwoLost(path: string): Promise<void> {
  await using manifest = await Manifest.resume(path, { tryLock });
  expect(await manifest.summary()).toMatchObject({
    changedBlocksCount: 1000 - 126,
    doubtfulBlocksCount: 126,
    damagedPagesCount: 1,
  });
  expect(await manifest.digestOf(251)).toMatchObject({ state: 'written' });
  expect(await manifest.digestOf(252)).toEqual({ blockIndex: 252, state: 'doubtful' });
  expect(await manifest.digestOf(378)).toMatchObject({ state: 'written' });
  manifest.record(300, digestNumber(1));
  expect(await manifest.summary()).toMatchObject({
    changedBlocksCount: 1000 - 125,
    doubtfulBlocksCount: 125,
    damagedPagesCount: 0,
  });
}

it('doubts the blocks of a page that is torn, bent or misplaced, and no others', async () => {
  const torn = await writtenManifest();
  await patch(torn, pageOffset(2) + 2048, Buffer.alloc(2048, 1));
  await expectPageTwoLost(torn);
  for (const bit of [0, 33, 70, 200, 300, 4095 * 8]) {
    const bent = await writtenManifest();
    const at = pageOffset(2) + (bit >>> 3);
    const [byte = 0] = (await readFile(bent)).subarray(at);
    await patch(bent, at, Buffer.of(byte ^ (1 << (bit & 7))));
    await expectPageTwoLost(bent);
  }
  const misplaced = await writtenManifest();
  const pages = await readFile(misplaced);
  await patch(misplaced, pageOffset(2), pages.subarray(pageOffset(3), pageOffset(4)));
  await expectPageTwoLost(misplaced);
});

it('does not believe the page of another manifest', async () => {
  const [path, other] = [await writtenManifest(), await writtenManifest()];
  const page = (await readFile(other)).subarray(pageOffset(2), pageOffset(3));
  await patch(path, pageOffset(2), page);
  await expectPageTwoLost(path);
});

it('doubts what was cut off, also after the file was made whole again', async () => {
  const path = await writtenManifest();
  await truncate(path, pageOffset(3) + 100);
  await using reader = await Manifest.open(path);
  const lost = { changedBlocksCount: 378, doubtfulBlocksCount: 2048 - 378, damagedPagesCount: 14 };
  expect(await reader.summary()).toMatchObject(lost);
  for (let time = 0; time < 2; time += 1) {
    await using manifest = await Manifest.resume(path, { tryLock });
    expect(await manifest.summary()).toMatchObject(lost);
    expect(await manifest.digestOf(2047)).toMatchObject({ state: 'doubtful' });
  }
  expect(await readFile(path)).toHaveLength(pageOffset(17));
});

it('looks everywhere when the segment map is damaged', async () => {
  const path = await writtenManifest();
  await patch(path, SEGMENT_MAP_OFFSET + 40, Buffer.of(1));
  await using manifest = await Manifest.resume(path, { tryLock });
  expect(await manifest.summary()).toMatchObject({
    changedBlocksCount: 1000,
    damagedPagesCount: 0,
  });
});

it('never writes over a file that is there', async () => {
  const path = await writtenManifest();
  const before = await readFile(path);
  const exists = { name: 'ManifestError', code: 'ERR_EBS_MANIFEST_EXISTS', path };
  await expect(Manifest.create(path, plannedFacts(), { tryLock })).rejects.toMatchObject(exists);
  expect(await readFile(path)).toEqual(before);
  await writeFile(path, 'my thesis');
  await expect(Manifest.create(path, plannedFacts(), { tryLock })).rejects.toMatchObject(exists);
  const foreign = { code: 'ERR_EBS_MANIFEST_FOREIGN' };
  const options = { tryLock, factsIfNew: plannedFacts() };
  await expect(Manifest.resume(path, options)).rejects.toMatchObject(foreign);
  await expect(Manifest.open(path)).rejects.toMatchObject(foreign);
  expect(await readFile(path, 'utf8')).toBe('my thesis');
});

it('begins anew where a run ended before it had written anything', async () => {
  const folder = await temporaryFolder();
  const cases = { empty: 0, 'of full size': pageOffset(17) };
  for (const [name, sizeBytes] of Object.entries(cases)) {
    const path = join(folder, name);
    await writeFile(path, '');
    await truncate(path, sizeBytes);
    await expect(Manifest.open(path)).rejects.toMatchObject({ code: 'ERR_EBS_MANIFEST_FOREIGN' });
    const options = { tryLock, factsIfNew: plannedFacts() };
    await using manifest = await Manifest.resume(path, options);
    expect(manifest.isNew).toBe(true);
    expect(await manifest.summary()).toMatchObject({ changedBlocksCount: 0, damagedPagesCount: 0 });
  }
});

it('says what cannot be opened', async () => {
  const folder = await temporaryFolder();
  const failed = { name: 'ManifestError', code: 'ERR_EBS_MANIFEST_OPEN' };
  await expect(Manifest.resume(join(folder, 'none'))).rejects.toMatchObject({
    ...failed,
    syscall: 'open',
  });
  await expect(Manifest.open(folder)).rejects.toMatchObject(failed);
});

it('tells that it belongs to something else', async () => {
  const path = join(await temporaryFolder(), 'vol.manifest');
  const source = {
    kind: 'file',
    path: '/a.img',
    sizeBytes: 5,
    inode: '7',
    fileSystem: '1',
  } as const;
  const facts = plannedFacts({ snapshotId: 'snap-1', source });
  await using manifest = await Manifest.create(path, facts, { tryLock });
  manifest.mustBelongTo({ snapshotId: 'snap-1', volumeSizeGiB: 1, parameters: facts.parameters });
  manifest.mustBelongTo({ source: { ...source, path: '/moved.img', sizeBytes: 6 } });
  for (const [expected, difference] of [
    [{ snapshotId: 'snap-2' }, 'its snapshotId is snap-1, not snap-2'],
    [{ volumeSizeGiB: 2 }, 'its volumeSizeGiB is 1, not 2'],
    [{ range: { firstBlock: 0, endBlock: 5 } }, 'its range is not known'],
    [{ source: { ...source, path: '/b.img', inode: '8' } }, 'its source is "/a.img", not "/b.img"'],
  ] as const) {
    expect(() => manifest.mustBelongTo(expected)).toThrow(
      expect.objectContaining({
        code: 'ERR_EBS_MANIFEST_MISMATCH',
        message: expect.stringContaining(difference) as unknown,
      }),
    );
  }
});
