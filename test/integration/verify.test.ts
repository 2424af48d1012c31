import { createReadStream } from 'node:fs';
import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE, GIB } from '../../src/base/constants.ts';
import { uploadSnapshot, verifySnapshot, type DifferingRange } from '../../src/index.ts';
import { PAGES_OFFSET, PAGE_SIZE } from '../../src/manifest/layout.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Data, zeros, a hole behind the end, and a tail within a sector. */
const KINDS = 'dd00d0dd';

interface Uploaded extends LocalService {
  readonly snapshotId: string;
  readonly disk: Buffer;
  readonly source: string;
  readonly manifest: string;
}

async function uploaded(): Promise<Uploaded> {
  const service = await startLocalService();
  const folder = await temporaryFolder();
  const [source, manifest] = [join(folder, 'disk.img'), join(folder, 'disk.manifest')];
  const disk = Buffer.concat([diskOf(KINDS), Buffer.from('tail')]);
  await writeFile(source, disk);
  const { snapshotId } = await uploadSnapshot({ client: service.client, source, manifest });
  return { ...service, snapshotId, disk, source, manifest };
}

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, offset);
  await file.close();
}

function block(index: number, fault: DifferingRange['fault'], count = 1): DifferingRange {
  return { start: index * BLOCK_SIZE, length: count * BLOCK_SIZE, fault };
}

describe('verifySnapshot', () => {
  it('finds a snapshot equal to file, stream, manifest and itself', async () => {
    const { client, snapshotId, disk, source, manifest } = await uploaded();
    const chunks = Readable.from([disk.subarray(0, 1000), disk.subarray(1000)]);
    const ways = [
      {},
      { source },
      { source: createReadStream(source) },
      { source: chunks },
      { manifest },
    ];
    for (const way of ways) {
      const result = await verifySnapshot({ client, snapshotId, ...way });
      expect(result).toMatchObject({
        snapshotId,
        isEqual: true,
        volumeSizeGiB: 1,
        ...('source' in way ? { sourceSizeBytes: disk.length } : {}),
        differingBytes: 0,
        differences: [],
        uncheckedBlocks: 0,
        blocksRead: 9,
        retries: 0,
      });
    }
  });

  it('compares a source with its manifest without a request', async () => {
    const { client, requests, snapshotId, source, manifest } = await uploaded();
    const before = requests('ListSnapshotBlocks');
    const options = { client, snapshotId, source, manifest, offline: true };
    expect(await verifySnapshot(options)).toMatchObject({
      isEqual: true,
      blocksRead: 0,
      snapshotId,
    });
    await flip(source, 3 * BLOCK_SIZE + 9);
    expect((await verifySnapshot(options)).differences).toEqual([block(3, 'content')]);
    expect(requests('GetSnapshotBlock')).toBe(0);
    expect(requests('ListSnapshotBlocks')).toBe(before);
    const other = { ...options, snapshotId: 'snap-0123456789abcdef0' };
    await expect(verifySnapshot(other)).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_MISMATCH',
    });
  });

  it.each([1, 2, 3])('finds one bit anywhere in the source (seed %i)', async (seed) => {
    const { client, snapshotId, disk, source } = await uploaded();
    const offset = Math.floor(seededRandom(seed)() * disk.length);
    await flip(source, offset);
    const seen: DifferingRange[] = [];
    const on = { difference: (range: DifferingRange) => void seen.push(range) };
    const result = await verifySnapshot({ client, snapshotId, source, on });
    expect(seen).toEqual([block(Math.floor(offset / BLOCK_SIZE), 'content')]);
    expect(result).toMatchObject({ isEqual: false, differences: seen, differingBytes: BLOCK_SIZE });
  });

  it.each([
    ['a digest', 64 + 32 * 4 + 7],
    ['the states', 33],
    ['the checksum', 0],
    ['what is not used', 4095],
  ])('finds one bit in the manifest, in %s', async (_, at) => {
    const { client, snapshotId, source, manifest } = await uploaded();
    await flip(manifest, PAGES_OFFSET + at);
    for (const way of [{ snapshotId }, { source, offline: true }]) {
      const { differences, isEqual } = await verifySnapshot({ client, manifest, ...way });
      // Nothing of the page is believed any more.
      expect({ isEqual, differences }).toEqual({
        isEqual: false,
        differences: [block(0, 'unknown', 126)],
      });
    }
    await flip(manifest, PAGES_OFFSET + at);
    await flip(manifest, PAGES_OFFSET + PAGE_SIZE * 3 + at);
    const { differences } = await verifySnapshot({ client, manifest, snapshotId });
    expect(differences).toEqual([block(3 * 126, 'unknown', 126)]);
  });

  it('heals one bit in an answer, and names the block where it stays', async () => {
    const { client, ebs, snapshotId, source, manifest } = await uploaded();
    ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 4, fault: 'corrupt' });
    ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 6, fault: 'wrong-checksum' });
    expect(await verifySnapshot({ client, snapshotId })).toMatchObject({
      isEqual: true,
      retries: 2,
    });
    for (const way of [{}, { source }, { manifest }]) {
      ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 4, fault: 'corrupt', times: 4 });
      const { differences, blocksRead } = await verifySnapshot({ client, snapshotId, ...way });
      expect(differences).toEqual([block(4, 'corrupt')]);
      expect(blocksRead).toBe(8);
    }
  });

  it('takes what is behind a shorter source for zeros, and names what a longer one has', async () => {
    const { client, snapshotId, source } = await uploaded();
    await truncate(source, 6 * BLOCK_SIZE);
    const shorter = await verifySnapshot({ client, snapshotId, source });
    expect(shorter).toMatchObject({
      sourceSizeBytes: 6 * BLOCK_SIZE,
      differences: [block(6, 'content', 3)],
      differingRanges: 1,
    });
    await truncate(source, GIB + 10);
    const { differences } = await verifySnapshot({ client, snapshotId, source });
    expect(differences).toEqual([
      block(6, 'content', 3),
      { start: GIB, length: 10, fault: 'beyond' },
    ]);
  });

  it('knows of a child what its base told', async () => {
    const { client, snapshotId, source, manifest, disk } = await uploaded();
    disk[BLOCK_SIZE] = (disk[BLOCK_SIZE] ?? 0) ^ 1;
    await writeFile(source, disk);
    const params = { ParentSnapshotId: snapshotId };
    const child = { client, source, manifest: `${manifest}.2`, base: manifest, params };
    const { snapshotId: childId } = await uploadSnapshot(child);
    const result = await verifySnapshot({ client, snapshotId: childId, manifest: `${manifest}.2` });
    expect(result).toMatchObject({ isEqual: true, blocksRead: 9, uncheckedBlocks: 0 });
    const wrong = { client, snapshotId: childId, manifest };
    await expect(verifySnapshot(wrong)).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_MISMATCH',
    });
  });

  it('ends right under stalls, resets, cuts, wrong data, expired tokens and a quota together', async () => {
    const { client, ebs, snapshotId, source } = await uploaded();
    ebs.setHostility({
      seed: 5,
      quotas: { snapshot: { GetSnapshotBlock: { rate: 20, depth: 2 } } },
      faults: {
        corrupt: 0.1,
        'cut-answer': 0.1,
        'reset-before-body': 0.1,
        'expired-block-token': 0.05,
        'internal-error': 0.1,
        'stall-in-answer': { rate: 0.1, forMs: 300 },
      },
    });
    await flip(source, 7 * BLOCK_SIZE);
    const { differences, retries } = await verifySnapshot({ client, snapshotId, source });
    expect(differences).toEqual([block(7, 'content')]);
    expect(retries).toBeGreaterThan(0);
  });

  it('asks again for the last block when its answer stands still', async () => {
    const { client, ebs, snapshotId } = await uploaded();
    ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 8, fault: 'stall' });
    expect(await verifySnapshot({ client, snapshotId })).toMatchObject({
      isEqual: true,
      retries: 1,
    });
  }, 30_000);

  it('stops at once, whatever it waits for', async () => {
    const { client, ebs, snapshotId, source } = await uploaded();
    const silent = new Readable({ read: () => undefined });
    for (const way of [{}, { source }, { source: silent }]) {
      const stop = new AbortController();
      ebs.inject({ operation: 'GetSnapshotBlock', fault: 'stall' });
      const on = { start: () => void setImmediate(() => stop.abort(new Error('enough'))) };
      const stopped = verifySnapshot({ client, snapshotId, ...way, on, signal: stop.signal });
      await expect(stopped).rejects.toMatchObject({
        name: 'AbortError',
        cause: { message: 'enough' },
      });
    }
    expect(silent.destroyed).toBe(true);
  });

  it('tells what fails on either side', async () => {
    const { client, snapshotId, source } = await uploaded();
    const missing = { client, snapshotId, source: `${source}.missing` };
    await expect(verifySnapshot(missing)).rejects.toMatchObject({ code: 'ERR_EBS_SOURCE_OPEN' });
    const noManifest = { client, snapshotId, manifest: source };
    await expect(verifySnapshot(noManifest)).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_FOREIGN',
    });
    const broken = Readable.from([Buffer.alloc(9), null]).on('error', () => undefined);
    setImmediate(() => broken.destroy(new Error('pulled out')));
    await expect(verifySnapshot({ client, snapshotId, source: broken })).rejects.toThrow(
      'pulled out',
    );
    const unknown = { client, snapshotId: 'snap-0123456789abcdef0', source };
    await expect(verifySnapshot(unknown)).rejects.toMatchObject({ code: 'ERR_EBS_SERVICE' });
  });

  it.each([
    [{}, 'snapshotId must be'],
    [{ snapshotId: 'snap-1', source: 'a', manifest: 'b' }, 'offline must be given together'],
    [{ source: 'a', offline: true }, 'manifest must be given together'],
    [{ manifest: 'a', offline: true }, 'source must be given together'],
  ])('refuses %o', async (options, message) => {
    await expect(verifySnapshot(options)).rejects.toThrow(message);
  });
});
