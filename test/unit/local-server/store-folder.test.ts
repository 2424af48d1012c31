import { mkdir, readdir, readFile, rm, rmdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordOf } from '../../support/snapshot-record.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { NODE_HASHER } from '../../../src/local-server/block-hasher.ts';
import { HashedBytes } from '../../../src/local-server/hashed-bytes.ts';
import type { SnapshotRecord } from '../../../src/local-server/snapshot-record.ts';
import { SnapshotStore, type StoredSnapshot } from '../../../src/local-server/snapshot-store.ts';
import { BLOCK_SIZE } from '../../../src/local-server/wire-table.ts';

const REGION = 'us-east-1';

async function storeWithBlock(directory: string): Promise<void> {
  const store = await SnapshotStore.open(directory);
  await put(store, await create(store), 3, 1);
  await store.close();
}

async function create(
  store: SnapshotStore,
  fields: Partial<SnapshotRecord> = {},
): Promise<StoredSnapshot> {
  const snapshotId = store.newSnapshotId();
  await store.create(recordOf(snapshotId, fields));
  const snapshot = store.find(snapshotId, REGION);
  if (snapshot === undefined) throw new Error('not found');
  return snapshot;
}

async function put(
  store: SnapshotStore,
  snapshot: StoredSnapshot,
  index: number,
  byte: number,
): Promise<void> {
  const content = new HashedBytes(Buffer.alloc(BLOCK_SIZE, byte), NODE_HASHER);
  const expectedDigest = await content.digest();
  expect(await store.putBlock(snapshot, { index, content, expectedDigest }, 1)).toBe('stored');
}

async function byteAt(store: SnapshotStore, id: string, index: number): Promise<number> {
  const block = store.locate(id, index);
  if (block === undefined) return -1;
  const buffer = Buffer.alloc(BLOCK_SIZE, 0xee);
  await store.readBlock(block, buffer);
  expect(buffer.every((byte) => byte === buffer[0])).toBe(true);
  return buffer[0] ?? -1;
}

test('a folder with other files is left alone', async () => {
  const directory = await temporaryFolder();
  await writeFile(join(directory, 'holiday.jpg'), '');
  await expect(SnapshotStore.open(directory)).rejects.toMatchObject({
    code: 'STORE_FOREIGN',
    message: `${directory} is not a folder of the local EBS service: it holds other files.`,
  });
  expect(await readdir(directory)).toEqual(['holiday.jpg']);
});

test('a path that is no folder', async () => {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, '');
  await expect(SnapshotStore.open(path)).rejects.toMatchObject({ code: 'STORE_UNUSABLE' });
});

test('a folder that this process has open already', async () => {
  const directory = await temporaryFolder();
  const store = await SnapshotStore.open(directory);
  await expect(SnapshotStore.open(directory)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  await store.close();
});

test('a format of the future', async () => {
  const directory = await temporaryFolder();
  await writeFile(join(directory, 'ebs-local.json'), '{"format":"ebs-local","version":2}');
  await expect(SnapshotStore.open(directory)).rejects.toThrow(
    `${directory} has format version 2, this release reads 1.`,
  );
});

/** Changes bytes all over the files whose names contain `part`. */
async function spoil(folder: string, part: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((file) => file.includes(part))) {
    const bytes = await readFile(join(folder, name));
    for (let at = 0; at < bytes.length; at += 32) bytes[at] = ~(bytes[at] ?? 0) & 0xff;
    await writeFile(join(folder, name), bytes);
  }
}

test.each<[string, (directory: string) => Promise<void>]>([
  ['no metadata', (directory) => rm(join(directory, 'metadata'), { recursive: true })],
  [
    'metadata without its manifest',
    async (directory) => {
      const folder = join(directory, 'metadata');
      const names = (await readdir(folder)).filter((name) => name.startsWith('MANIFEST'));
      await Promise.all(names.map((name) => rm(join(folder, name))));
    },
  ],
  ...['CURRENT', 'MANIFEST', '.log'].map((part): [string, (directory: string) => Promise<void>] => [
    `a wrong byte in each block of ${part}`,
    (directory) => spoil(join(directory, 'metadata'), part),
  ]),
  [
    'no bytes',
    async (directory) => {
      await rm(join(directory, 'volumes'), { recursive: true });
      await mkdir(join(directory, 'volumes'));
    },
  ],
  [
    'bytes cut off',
    async (directory) => {
      const folder = join(directory, 'volumes');
      const [name = ''] = await readdir(folder);
      await truncate(join(folder, name), 3 * BLOCK_SIZE + 100);
    },
  ],
  ['a marker that is no JSON', (directory) => writeFile(join(directory, 'ebs-local.json'), '{')],
])('a store with %s is reported as damaged', async (_, damage) => {
  const directory = await temporaryFolder();
  await storeWithBlock(directory);
  await damage(directory);
  await expect(SnapshotStore.open(directory)).rejects.toMatchObject({
    code: 'STORE_DAMAGED',
    message: expect.stringMatching(/^\S+ is damaged: .+\.$/) as string,
  });
});

test('records that the metadata has lost are reported each time, not only the first', async () => {
  const directory = await temporaryFolder();
  const store = await SnapshotStore.open(directory);
  const snapshot = await create(store);
  for (let index = 0; index < 20; index += 1) await put(store, snapshot, index, index + 1);
  await store.close();
  const folder = join(directory, 'metadata');
  const log = join(folder, (await readdir(folder)).find((name) => name.endsWith('.log')) ?? '');
  const bytes = await readFile(log);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await writeFile(log, bytes);
  for (let time = 0; time < 2; time += 1) {
    await expect(SnapshotStore.open(directory)).rejects.toThrow(
      /^\S+ is damaged: \d+ bytes of its metadata cannot be read\.$/,
    );
  }
});

test('everything is there again after a restart', async () => {
  const directory = await temporaryFolder();
  const first = await SnapshotStore.open(directory);
  const snapshot = await create(first);
  const { snapshotId } = snapshot.record;
  await put(first, snapshot, 0, 1);
  await put(first, snapshot, 0, 2);
  await put(first, snapshot, 5, 0);
  await first.seal(snapshot, { atMs: 9, changedBlocksCount: 2, checksum: null });
  await first.close();
  const second = await SnapshotStore.open(directory);
  await second.settle();
  expect(second.find(snapshotId, REGION)?.record).toMatchObject({
    seal: { atMs: 9 },
    verdict: { outcome: 'good', ownBlockCount: 2, totalBlockCount: 2 },
  });
  expect([await byteAt(second, snapshotId, 0), await byteAt(second, snapshotId, 5)]).toEqual([
    2, 0,
  ]);
  expect(second.tokenKey.equals(first.tokenKey)).toBe(true);
  await second.close();
});

test('a block of zeros takes no space, and any content may follow any other', async () => {
  const directory = await temporaryFolder();
  const store = await SnapshotStore.open(directory);
  const snapshot = await create(store);
  await put(store, snapshot, 0, 0);
  expect(await readdir(join(directory, 'volumes'))).toEqual([]);
  for (const byte of [1, 0, 2, 3, 3, 0, 4]) {
    await put(store, snapshot, 0, byte);
    expect(await byteAt(store, snapshot.record.snapshotId, 0)).toBe(byte);
  }
  await store.close();
});

test('the last block of 64 TiB is stored like any other', async () => {
  const store = await SnapshotStore.open(await temporaryFolder());
  const snapshot = await create(store);
  await put(store, snapshot, 2 ** 27 - 1, 9);
  expect(await byteAt(store, snapshot.record.snapshotId, 2 ** 27 - 1)).toBe(9);
  await store.close();
});

test('bytes of a deleted snapshot stay while a descendant reads them, then all go at once', async () => {
  const directory = await temporaryFolder();
  const store = await SnapshotStore.open(directory);
  const root = await create(store);
  await put(store, root, 0, 1);
  const child = await create(store, { parentSnapshotId: root.record.snapshotId });
  const leaf = await create(store, { parentSnapshotId: child.record.snapshotId });
  await put(store, leaf, 1, 2);
  await store.delete(root);
  await store.delete(child);
  await store.settle();
  expect(store.find(root.record.snapshotId, REGION)).toBeUndefined();
  expect(await byteAt(store, leaf.record.snapshotId, 0)).toBe(1);
  await store.close();

  const again = await SnapshotStore.open(directory);
  const sameLeaf = again.find(leaf.record.snapshotId, REGION);
  expect(await byteAt(again, leaf.record.snapshotId, 0)).toBe(1);
  if (sameLeaf !== undefined) await again.delete(sameLeaf);
  await again.settle();
  expect(await readdir(join(directory, 'volumes'))).toEqual([]);
  expect(again.recordOf(root.record.snapshotId)).toBeUndefined();
  await again.close();
});

test('a clean-up that broke off is taken up again, and is no damage', async () => {
  const directory = await temporaryFolder();
  const volumes = join(directory, 'volumes');
  const store = await SnapshotStore.open(directory);
  const snapshot = await create(store);
  await put(store, snapshot, 0, 1);
  const [name = ''] = await readdir(volumes);
  // A folder in place of the file cannot be removed as a file: the clean-up ends there.
  await rm(join(volumes, name));
  await mkdir(join(volumes, name));
  await store.delete(snapshot);
  await store.settle();
  await store.close();
  expect(await readdir(volumes)).toEqual([name]);
  await rmdir(join(volumes, name));
  const again = await SnapshotStore.open(directory);
  await again.settle();
  expect(again.recordOf(snapshot.record.snapshotId)).toBeUndefined();
  await again.close();
});

test('more snapshots than open files', async () => {
  const store = await SnapshotStore.open(await temporaryFolder());
  const snapshots = await Promise.all(Array.from({ length: 100 }, () => create(store)));
  await Promise.all(snapshots.map((snapshot, i) => put(store, snapshot, 0, i + 1)));
  for (const [i, { record }] of snapshots.entries()) {
    expect(await byteAt(store, record.snapshotId, 0)).toBe(i + 1);
  }
  await store.close();
});
