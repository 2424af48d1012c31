import { access, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_SIZE,
  rebuildManifest,
  uploadSnapshot,
  type SnapshotResult,
} from '../../src/index.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const LINEAGES = Number(process.env.INCREMENTAL_RUNS ?? 6);
const SEED = Number(process.env.INCREMENTAL_SEED ?? Date.now() % 1_000_000);
const GENERATIONS = 3;
/** The longest source, in blocks. */
const BLOCKS = 20;

type Random = () => number;

/** What each block of a source holds: the seed of its data, a zero that was written, or a hole. */
type Content = readonly (number | 'zero' | 'hole')[];

/** A source of another length whose blocks are often those of its parent, rewritten. */
function nextContent(parent: Content, random: Random): Content {
  const length = 1 + Math.floor(random() * BLOCKS);
  return Array.from({ length }, (_, index) => {
    const inherited = parent[index];
    if (inherited !== undefined && random() < 0.5) return inherited;
    const kind = random();
    if (kind < 0.5) return 1 + Math.floor(random() * 1000);
    return kind < 0.75 ? 'zero' : 'hole';
  });
}

function bytesOf(content: Content): Buffer {
  return Buffer.concat(
    content.map((block) => (typeof block === 'number' ? diskOf('d', block) : diskOf('0'))),
  );
}

async function writeSparse(path: string, content: Content): Promise<void> {
  const handle = await open(path, 'w');
  await handle.truncate(content.length * BLOCK_SIZE);
  for (const [index, block] of content.entries()) {
    if (block === 'hole') continue;
    const data = typeof block === 'number' ? diskOf('d', block) : diskOf('0');
    await handle.write(data, 0, BLOCK_SIZE, index * BLOCK_SIZE);
  }
  await handle.close();
}

/** Blocks in which two volumes differ; what is missing is zero. */
function differences(a: Buffer, b: Buffer): number[] {
  const zero = Buffer.alloc(BLOCK_SIZE);
  const blockOf = (bytes: Buffer, index: number): Buffer =>
    index * BLOCK_SIZE < bytes.length
      ? bytes.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE)
      : zero;
  return Array.from({ length: BLOCKS }, (_, index) => index).filter(
    (index) => !blockOf(a, index).equals(blockOf(b, index)),
  );
}

/** The blocks of the acknowledged PUTs of a snapshot. */
function putsTo({ ebs }: LocalService, id: string): number[] {
  return ebs
    .history()
    .filter(({ snapshotId, status, blockIndex }) => {
      return snapshotId === id && status === 201 && blockIndex !== undefined;
    })
    .map(({ blockIndex = 0 }) => blockIndex)
    .sort((a, b) => a - b);
}

async function loseManifest(
  { client }: LocalService,
  snapshotId: string,
  manifest: string,
): Promise<void> {
  await rm(manifest);
  await rebuildManifest({ client, snapshotId, manifest });
}

async function lineage(service: LocalService, random: Random): Promise<void> {
  const folder = await temporaryFolder();
  const source = join(folder, 'disk.img');
  let parent: { id: string; content: Content } | undefined;
  let VolumeSize = 1;
  for (let generation = 0; generation <= GENERATIONS; generation += 1) {
    const content = nextContent(parent?.content ?? [], random);
    await writeSparse(source, content);
    if (random() < 0.3) VolumeSize += 1;
    const { snapshotId, changedBlocksCount } = await uploadSnapshot({
      client: service.client,
      source,
      manifest: join(folder, `${generation}.manifest`),
      ...(parent === undefined ? {} : { base: join(folder, `${generation - 1}.manifest`) }),
      params: { VolumeSize, ...(parent === undefined ? {} : { ParentSnapshotId: parent.id }) },
    });
    const expected =
      parent === undefined
        ? [...content.keys()]
        : differences(bytesOf(parent.content), bytesOf(content));
    expect(putsTo(service, snapshotId)).toEqual(expected);
    expect(changedBlocksCount).toBe(expected.length);
    await expectVolume(service, snapshotId, { disk: bytesOf(content), blocks: BLOCKS + 1 });
    // Whether the manifest is lost, and built anew from the snapshot, makes no difference to the child.
    if (random() < 0.3)
      await loseManifest(service, snapshotId, join(folder, `${generation}.manifest`));
    parent = { id: snapshotId, content };
  }
}

test(`children send exactly what differs, ${GENERATIONS} generations deep (seed ${SEED})`, async () => {
  const service = await startLocalService();
  const random = seededRandom(SEED);
  for (let run = 0; run < LINEAGES; run += 1) await lineage(service, random);
});

describe('an incremental upload', () => {
  interface Family {
    readonly service: LocalService;
    readonly folder: string;
    readonly parentId: string;
    readonly upload: (name: string, options?: object) => Promise<SnapshotResult>;
  }

  /** A parent of ten blocks with the manifest `parent`. */
  async function family(params: object = {}): Promise<Family> {
    const service = await startLocalService();
    const folder = await temporaryFolder();
    const source = join(folder, 'disk.img');
    await writeFile(source, diskOf('dddddddddd'));
    const upload: Family['upload'] = (name, options = {}) =>
      uploadSnapshot({
        client: service.client,
        source,
        manifest: join(folder, name),
        ...options,
      });
    const { snapshotId } = await upload('parent', { params });
    return { service, folder, parentId: snapshotId, upload };
  }

  test('goes on after it stopped, and not without its base', async () => {
    const { service, folder, parentId, upload } = await family();
    const disk = diskOf('dddddddddd', 7);
    await writeFile(join(folder, 'disk.img'), disk);
    const params = { ParentSnapshotId: parentId };
    const base = join(folder, 'parent');
    const fault = { status: 400, type: 'ValidationException' };
    service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 6, fault });
    const failed = upload('child', { params, base });
    await expect(failed).rejects.toMatchObject({ resumable: true, blockIndex: 6 });
    const { snapshotId } = await upload('child', { params, base, resume: true });
    expect([...new Set(putsTo(service, snapshotId))]).toHaveLength(10);
    await expectVolume(service, snapshotId, { disk, blocks: 11 });
  });

  test('of a source back at the parent after it was sent otherwise is right', async () => {
    const { service, folder, parentId, upload } = await family();
    const before = diskOf('dddddddddd');
    await writeFile(join(folder, 'disk.img'), diskOf('dddddddddd', 7));
    const options = { params: { ParentSnapshotId: parentId }, base: join(folder, 'parent') };
    const fault = { status: 400, type: 'ValidationException' };
    service.ebs.inject({ operation: 'CompleteSnapshot', fault });
    service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 9, fault });
    await expect(upload('child', options)).rejects.toMatchObject({ resumable: true });
    service.ebs.clearFaults();
    await writeFile(join(folder, 'disk.img'), before);
    const { snapshotId } = await upload('child', { ...options, resume: true });
    await expectVolume(service, snapshotId, { disk: before, blocks: 11 });
  });

  test('of an encrypted parent sends zeros where the parent has nothing', async () => {
    const { service, folder, parentId, upload } = await family({ Encrypted: true });
    await writeFile(join(folder, 'disk.img'), diskOf('dddddddddd00'));
    const params = { ParentSnapshotId: parentId };
    const { snapshotId } = await upload('child', { params, base: join(folder, 'parent') });
    expect(putsTo(service, snapshotId)).toHaveLength(2048 - 10);
  });

  test('is refused with a base of another snapshot, or of one that is not completed', async () => {
    const { service, folder, parentId, upload } = await family();
    const other = await upload('other', { waitUntil: 'accepted' });
    const requests = service.ebs.counters().requests;
    const mismatch = { code: 'ERR_EBS_MANIFEST_MISMATCH' };
    const base = join(folder, 'other');
    await expect(
      upload('child', { base, params: { ParentSnapshotId: parentId } }),
    ).rejects.toMatchObject(mismatch);
    await expect(
      upload('child', { base, params: { ParentSnapshotId: other.snapshotId } }),
    ).rejects.toMatchObject(mismatch);
    await expect(upload('child', { base })).rejects.toThrow(/ParentSnapshotId must be given/);
    expect(service.ebs.counters().requests).toBe(requests);
    // Neither attempt has left a manifest behind that would be in the way.
    const params = { ParentSnapshotId: parentId };
    const { changedBlocksCount } = await upload('child', { base: join(folder, 'parent'), params });
    expect(changedBlocksCount).toBe(0);
  });

  test('is refused with a base whose volume is larger than its own', async () => {
    const { service, folder, parentId, upload } = await family({ VolumeSize: 2 });
    const requests = service.ebs.counters().requests;
    const options = { base: join(folder, 'parent'), params: { ParentSnapshotId: parentId } };
    await expect(upload('child', options)).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_MISMATCH',
      message: expect.stringMatching(
        /its volume of 2 GiB is larger than the 1 GiB of its child$/,
      ) as string,
    });
    expect(service.ebs.counters().requests).toBe(requests);
    await expect(access(join(folder, 'child'))).rejects.toThrow('ENOENT');
    const params = { ParentSnapshotId: parentId, VolumeSize: 2 };
    expect(await upload('child', { ...options, params })).toMatchObject({ changedBlocksCount: 0 });
  });
});
