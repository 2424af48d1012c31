import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, vi } from 'vitest';
import { BLOCK_SIZE, BLOCKS_PER_GIB, GIB } from '../../src/base/constants.ts';
import { sha256 } from '../../src/base/digest.ts';
import type { Block } from '../../src/engine/engine.ts';
import type { Progress } from '../../src/events.ts';
import type { SnapshotReaderOptions } from '../../src/options.ts';
import { SnapshotReader } from '../../src/snapshot-reader.ts';
import { SnapshotWriter } from '../../src/snapshot-writer.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { seededRandom } from '../support/seeded-random.ts';
import {
  randomContents,
  storeSnapshot,
  VolumeCheck,
  type Contents,
} from '../support/stored-snapshot.ts';

vi.setConfig({ testTimeout: 60_000 });

/** A handful of blocks: data and a zero block, the first and the last of the volume among them. */
const FEW: Contents = new Map([
  [0, 1],
  [1, 0],
  [2, 5],
  [700, 2],
  [701, 3],
  [BLOCKS_PER_GIB - 1, 4],
]);

describe('SnapshotReader of blocks', () => {
  it.each([1, 2])('reads every block of the volume in order (seed %i)', async (seed) => {
    const service = await startLocalService();
    const contents = randomContents(seededRandom(seed), 0.05);
    const snapshotId = await storeSnapshot(service.client, contents);
    const progress: Progress[] = [];
    const reader = read(service, { snapshotId });
    reader.on('progress', (event) => progress.push(event));
    let index = 0;
    for await (const block of reader) {
      const byte = contents.get(index);
      expect(block.index).toBe(index);
      expect(block.kind).toBe(byte === undefined ? 'hole' : byte === 0 ? 'zero' : 'data');
      expect([block.data[0], block.data.at(-1)]).toEqual([byte ?? 0, byte ?? 0]);
      expect(Buffer.compare(sha256(block.data), block.digest)).toBe(0);
      block.release();
      index += 1;
    }
    expect(index).toBe(BLOCKS_PER_GIB);
    expect(progress.at(-1)).toMatchObject({
      bytesDone: GIB,
      bytesTotal: GIB,
      blocksTransferred: contents.size,
      omittedBlocks: BLOCKS_PER_GIB - contents.size,
      inFlight: 0,
    });
  });

  it('leaves absent blocks out on demand', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const indices: number[] = [];
    for await (const block of read(service, { snapshotId, absentBlocks: 'omit' })) {
      indices.push(block.index);
      block.release();
    }
    expect(indices).toEqual([...FEW.keys()]);
  });

  it('copies a snapshot into a writer', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const reader = read(service, { snapshotId, absentBlocks: 'omit' });
    const { volumeSizeGiB } = await reader.open();
    const writer = new SnapshotWriter({
      client: service.client,
      params: { VolumeSize: volumeSizeGiB },
    });
    await pipeline(reader, writer);
    const copy = await writer.done();
    expect(copy).toMatchObject({ changedBlocksCount: FEW.size, zeroBlocks: 1 });
    expect(await differenceOf(service, copy.snapshotId, FEW)).toBeUndefined();
  });

  it('asks for no more than the budget holds until blocks are released', async () => {
    const service = await startLocalService();
    const contents = new Map(Array.from({ length: 40 }, (_, i) => [i, 1 + i] as const));
    const snapshotId = await storeSnapshot(service.client, contents);
    const options = { snapshotId, maxInFlightBytes: 5 * BLOCK_SIZE };
    await using reader = read(service, { ...options, absentBlocks: 'omit' });
    const blocks = reader[Symbol.asyncIterator]();
    const next = async (): Promise<Block> => (await blocks.next()).value as Block;
    const held: Block[] = [];
    for (let i = 0; i < 5; i += 1) held.push(await next());
    const sixth = next();
    expect(service.requests('GetSnapshotBlock')).toBe(5);
    held[0]?.release();
    expect((await sixth).index).toBe(5);
    expect(service.requests('GetSnapshotBlock')).toBe(6);
  });
});

describe('SnapshotReader of bytes', () => {
  it('reads the volume, with zeros where the snapshot holds nothing', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    expect(await differenceOf(service, snapshotId, FEW)).toBeUndefined();
  });

  it.each([
    { offset: 0, length: 1 },
    { offset: BLOCK_SIZE - 1, length: 2 },
    { offset: 2 * BLOCK_SIZE, length: BLOCK_SIZE },
    { offset: 700 * BLOCK_SIZE + 7, length: 2 * BLOCK_SIZE },
    { offset: 3 * BLOCK_SIZE, length: BLOCK_SIZE },
    { offset: GIB - 3, length: 10 },
    { offset: GIB, length: 10 },
    { offset: GIB + 99 },
    { offset: 5, length: 0 },
    { offset: GIB - BLOCK_SIZE - 5 },
    { firstBlock: BLOCKS_PER_GIB - 1 },
    { firstBlock: BLOCKS_PER_GIB - 2, endBlock: BLOCKS_PER_GIB + 7 },
    { firstBlock: 1, endBlock: 1 },
    { endBlock: 2 },
  ])('reads the range %o', async (range) => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const [start, endOfRange] =
      'offset' in range
        ? [range.offset, range.offset + (range.length ?? Infinity)]
        : [(range.firstBlock ?? 0) * BLOCK_SIZE, (range.endBlock ?? Infinity) * BLOCK_SIZE];
    const end = Math.min(GIB, endOfRange);
    const progress: Progress[] = [];
    const reader = read(service, { snapshotId, as: 'bytes', range });
    reader.on('progress', (event) => progress.push(event));
    let offset = start;
    for await (const chunk of reader) {
      const byte = FEW.get(Math.floor(offset / BLOCK_SIZE)) ?? 0;
      expect(chunk.equals(Buffer.alloc(chunk.length, byte)), `byte ${offset}`).toBe(true);
      offset += chunk.length;
    }
    expect(offset - start).toBe(Math.max(0, end - start));
    expect(progress.at(-1)).toMatchObject({
      bytesDone: offset - start,
      bytesTotal: offset - start,
    });
  });

  it('is a web stream too', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const range = { endBlock: 3 };
    const web = SnapshotReader.toWeb(read(service, { snapshotId, as: 'bytes', range }));
    const sizes: number[] = [];
    for await (const chunk of web) sizes.push((chunk as Uint8Array).length);
    expect(sizes).toEqual([BLOCK_SIZE, BLOCK_SIZE, BLOCK_SIZE]);
  });

  it('gives bytes that are the taker’s own', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const range = { endBlock: 6 };
    for (let round = 0; round < 2; round += 1) {
      const bytes = await read(service, { snapshotId, as: 'bytes', range }).toArray();
      expect(bytes.map((chunk: Buffer) => chunk[9])).toEqual([1, 0, 5, 0, 0, 0]);
      for (const chunk of bytes as Buffer[]) chunk.fill(0xee);
    }
  });
});

describe('SnapshotReader at its end', () => {
  it('leaves nothing behind, however it ends', async () => {
    const service = await startLocalService();
    const contents = new Map(Array.from({ length: 60 }, (_, i) => [i, 1 + i] as const));
    const snapshotId = await storeSnapshot(service.client, contents);
    const before = process.getActiveResourcesInfo();
    for (let last = 0; last <= 12; last += 1) {
      const stop = new AbortController();
      const reader = read(service, { snapshotId, signal: stop.signal, transport: 'lean' });
      const taking = (async () => {
        for await (const block of reader) {
          if (block.index === last) stop.abort(new Error('enough'));
          block.release();
        }
      })();
      await expect(taking).rejects.toMatchObject({ name: 'AbortError' });
      if (!reader.closed) await once(reader, 'close');
    }
    // The service, in the same process, notices a moment later that its side is closed.
    const sockets = count(before, 'TCPSocketWrap');
    await vi.waitFor(() => {
      expect(count(process.getActiveResourcesInfo(), 'TCPSocketWrap')).toBeLessThanOrEqual(sockets);
    });
    const timers = count(before, 'Timeout');
    expect(count(process.getActiveResourcesInfo(), 'Timeout')).toBeLessThanOrEqual(timers);
  });

  it('does not call the service when it is destroyed before it was read', async () => {
    const service = await startLocalService();
    const reader = read(service, { snapshotId: 'snap-0123456789abcdef0' });
    await reader[Symbol.asyncDispose]();
    expect(service.ebs.counters().requests).toBe(0);
  });

  it('fails with the service’s words for a snapshot that is not there', async () => {
    const service = await startLocalService();
    const reader = read(service, { snapshotId: 'snap-0123456789abcdef0' });
    await expect(reader.open()).rejects.toMatchObject({ reason: 'SNAPSHOT_NOT_FOUND' });
    expect(reader.destroyed).toBe(true);
  });
});

function count(resources: readonly string[], name: string): number {
  return resources.filter((resource) => resource === name).length;
}

async function differenceOf(
  service: LocalService,
  snapshotId: string,
  contents: Contents,
): Promise<number | undefined> {
  const check = new VolumeCheck(contents);
  for await (const bytes of read(service, { snapshotId, as: 'bytes' })) check.next(bytes);
  return check.firstDifference;
}

function read<As extends 'blocks' | 'bytes' = 'blocks'>(
  service: LocalService,
  options: SnapshotReaderOptions<As>,
): SnapshotReader<As> {
  return new SnapshotReader({ client: service.client, ...options });
}
