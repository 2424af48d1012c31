import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { BLOCK_SIZE, BLOCKS_PER_GIB, GIB } from '../../src/base/constants.ts';
import { SnapshotFile } from '../../src/snapshot-file.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { storeSnapshot, type Contents } from '../support/stored-snapshot.ts';

vi.setConfig({ testTimeout: 60_000 });

const EIGHT_DAYS_MS = 8 * 24 * 3_600_000;
/** Data, zeros and holes at both ends of the volume, each block with a byte of its own. */
const CONTENTS: Contents = new Map([
  [0, 1],
  [1, 2],
  [2, 0],
  [4, 5],
  [5, 6],
  [6, 7],
  [7, 8],
  [8, 9],
  [BLOCKS_PER_GIB - 2, 3],
  [BLOCKS_PER_GIB - 1, 4],
]);

describe('SnapshotFile', () => {
  it('reads what a reference buffer holds, wherever and in any order', async () => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId, { maxInFlightBytes: 3 * BLOCK_SIZE });
    expect(file.sizeBytes).toBe(GIB);
    const reads = fc.record({
      // Where blocks meet, and where the volume ends.
      offset: fc.oneof(
        fc.integer({ min: 0, max: 10 * BLOCK_SIZE }),
        fc.integer({ min: GIB - 3 * BLOCK_SIZE, max: GIB + 9 }),
        fc
          .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -2, max: 2 }))
          .map(([block, by]) => {
            return Math.max(0, block * BLOCK_SIZE + by);
          }),
      ),
      length: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 5 * BLOCK_SIZE })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(reads, { maxLength: 6 }), async (several) => {
        await Promise.all(
          several.map(async ({ offset, length }) => {
            const bytes = await file.readAt(offset, length);
            expect(bytes.equals(expected(offset, length)), `${length} at ${offset}`).toBe(true);
          }),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('reads into memory of the caller’s', async () => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId);
    const target = new Uint8Array(20).fill(0xee);
    expect(await file.readInto(target, GIB - 5)).toBe(5);
    expect([...target]).toEqual([4, 4, 4, 4, 4, ...Array<number>(15).fill(0xee)]);
  });

  it('shares one request among all who read a block, and keeps the block', async () => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId);
    await Promise.all(Array.from({ length: 20 }, (_, i) => file.readAt(BLOCK_SIZE + i * 50, 9)));
    await file.readAt(BLOCK_SIZE, BLOCK_SIZE);
    expect(service.requests('GetSnapshotBlock')).toBe(1);
    expect(service.requests('ListSnapshotBlocks')).toBe(2);
  });

  it('reads more at a time than the budget holds', async () => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId, { maxInFlightBytes: BLOCK_SIZE });
    const length = 9 * BLOCK_SIZE;
    const reads = await Promise.all([0, 1, 2, 3].map((offset) => file.readAt(offset, length)));
    for (const [offset, bytes] of reads.entries()) {
      expect(bytes.equals(expected(offset, length))).toBe(true);
    }
  });

  it('drops the block used longest ago', async () => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId, { maxInFlightBytes: 2 * BLOCK_SIZE });
    for (const block of [0, 1, 0, 4, 0, 1]) await file.readAt(block * BLOCK_SIZE + 7, 1);
    // 0, 1, then 4 in the place of 1, then 1 again.
    expect(service.requests('GetSnapshotBlock')).toBe(4);
  });

  it('asks ahead of whoever reads from front to back, and of nobody else', async () => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId);
    for (const at of [9, 3, 77]) await file.readAt(4 * BLOCK_SIZE + at, 5);
    expect(service.requests('GetSnapshotBlock')).toBe(1);
    for (const at of [0, 100, 200]) await file.readAt(4 * BLOCK_SIZE + at, 100);
    await file.readAt(8 * BLOCK_SIZE, 1);
    expect(service.requests('GetSnapshotBlock')).toBe(5);
  });

  it('goes on when its tokens have expired', async () => {
    let aheadMs = 0;
    const { service, snapshotId } = await stored({ clock: { now: () => Date.now() + aheadMs } });
    await using file = await open(service, snapshotId);
    await file.readAt(0, 1);
    aheadMs = EIGHT_DAYS_MS;
    const reads = [1, 4, 5].map((block) => file.readAt(block * BLOCK_SIZE, 2));
    expect((await Promise.all(reads)).map((bytes) => bytes[0])).toEqual([2, 5, 6]);
    expect(service.requests('ListSnapshotBlocks')).toBe(3);
  });

  it('names the block with a flipped bit, and reads it when it is whole again', async () => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId);
    const fault = { operation: 'GetSnapshotBlock', blockIndex: 5, fault: 'corrupt' } as const;
    service.ebs.inject({ ...fault, times: Infinity });
    await expect(file.readAt(4 * BLOCK_SIZE, 2 * BLOCK_SIZE)).rejects.toMatchObject({
      code: 'ERR_EBS_INTEGRITY',
      snapshotId,
      blockIndex: 5,
    });
    service.ebs.clearFaults();
    expect((await file.readAt(5 * BLOCK_SIZE, 1))[0]).toBe(6);
  });

  it('is not opened when it is aborted meanwhile, and asks for nothing later', async () => {
    const { service, snapshotId } = await stored();
    const { client } = service;
    const stop = new AbortController();
    const opening = SnapshotFile.open({ client, snapshotId, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
    expect(service.requests('GetSnapshotBlock')).toBe(0);

    const later = new AbortController();
    const file = await SnapshotFile.open({ client, snapshotId, signal: later.signal });
    const reading = file.readAt(0, 10 * BLOCK_SIZE);
    const failed = expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    later.abort();
    await failed;
    const asked = service.ebs.counters().requests;
    await expect(file.readAt(0, 1)).rejects.toMatchObject({ name: 'AbortError' });
    await file.close();
    expect(service.ebs.counters().requests).toBe(asked);
  });

  it('fails what is under way when it is closed, and everything after', async () => {
    const { service, snapshotId } = await stored();
    const file = await open(service, snapshotId);
    const reading = file.readAt(0, 3 * BLOCK_SIZE);
    const failed = expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    await file.close();
    await failed;
    await expect(file.readAt(0, 1)).rejects.toMatchObject({ name: 'AbortError' });
    await file.close();
  });

  it.each([
    [-1, 1],
    [0.5, 1],
    [0, -1],
    [0, NaN],
  ])('refuses to read %d, %d', async (offset, length) => {
    const { service, snapshotId } = await stored();
    await using file = await open(service, snapshotId);
    await expect(file.readAt(offset, length)).rejects.toThrow(RangeError);
  });
});

/** The bytes of the volume as they must be read. */
function expected(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, Math.min(length, GIB - offset)));
  for (let at = 0; at < bytes.length;) {
    const block = Math.floor((offset + at) / BLOCK_SIZE);
    const end = Math.min(bytes.length, (block + 1) * BLOCK_SIZE - offset);
    bytes.fill(CONTENTS.get(block) ?? 0, at, end);
    at = end;
  }
  return bytes;
}

async function stored(
  options: Parameters<typeof startLocalService>[0] = {},
): Promise<{ service: LocalService; snapshotId: string }> {
  const service = await startLocalService(options);
  return { service, snapshotId: await storeSnapshot(service.client, CONTENTS) };
}

function open(
  { client }: LocalService,
  snapshotId: string,
  options: { maxInFlightBytes?: number } = {},
): Promise<SnapshotFile> {
  return SnapshotFile.open({ client, snapshotId, ...options });
}
