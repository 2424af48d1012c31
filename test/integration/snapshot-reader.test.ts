import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BLOCK_SIZE, BLOCKS_PER_GIB, GIB } from '../../src/base/constants.ts';
import { sha256 } from '../../src/base/digest.ts';
import type { Block } from '../../src/engine/engine.ts';
import type { Progress } from '../../src/events.ts';
import type { SnapshotReaderOptions } from '../../src/options.ts';
import { SnapshotReader } from '../../src/snapshot-reader.ts';
import { SnapshotWriter } from '../../src/snapshot-writer.ts';
import { settled } from '../support/fake-clock.ts';
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

describe('SnapshotReader of a service that does not do as it should', () => {
  it('goes on when block tokens and page tokens expire under it', async () => {
    const service = await startLocalService();
    const contents = new Map(Array.from({ length: 120 }, (_, i) => [i * 17, 1 + i] as const));
    const snapshotId = await storeSnapshot(service.client, contents);
    service.client.middlewareStack.add(
      (next, { commandName }) =>
        (args) =>
          commandName === 'ListSnapshotBlocksCommand'
            ? next({ ...args, input: { ...args.input, MaxResults: 100 } })
            : next(args),
      { step: 'initialize' },
    );
    const reader = read(service, { snapshotId });
    await reader.open();
    const block = {
      operation: 'GetSnapshotBlock',
      fault: 'expired-block-token',
      times: 3,
    } as const;
    service.ebs.inject(block);
    service.ebs.inject({ operation: 'ListSnapshotBlocks', fault: 'expired-page-token' });
    const bytes = new VolumeCheck(contents);
    for await (const block of reader) {
      bytes.next(Buffer.from(block.data.buffer, block.data.byteOffset, block.data.length));
      block.release();
    }
    expect(bytes.firstDifference).toBeUndefined();
    const refused = service.ebs.history().filter(({ status }) => status === 400);
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(
      new Set(['INVALID_BLOCK_TOKEN', 'INVALID_PAGE_TOKEN']),
    );
  });

  it.each(['blocks', 'bytes'] as const)('names the block with a flipped bit, of %s', async (as) => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const fault = { operation: 'GetSnapshotBlock', blockIndex: 701, fault: 'corrupt' } as const;
    service.ebs.inject(fault);
    let retries = 0;
    const healed = read(service, { snapshotId, as });
    healed.on('retry', ({ blockIndex }) => {
      expect(blockIndex).toBe(701);
      retries += 1;
    });
    for await (const chunk of healed) if ('release' in chunk) chunk.release();
    expect(retries).toBe(1);

    service.ebs.inject({ ...fault, times: Infinity });
    const reading = (async () => {
      for await (const chunk of read(service, { snapshotId, as })) {
        if ('release' in chunk) chunk.release();
      }
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'ERR_EBS_INTEGRITY',
      message: expect.stringContaining(`block 701 of ${snapshotId}`) as string,
      snapshotId,
      blockIndex: 701,
    });
  });

  it('obeys new limits at once', async () => {
    const service = await startLocalService();
    const contents = new Map(Array.from({ length: 40 }, (_, i) => [i, 1 + i] as const));
    const snapshotId = await storeSnapshot(service.client, contents);
    await using reader = read(service, { snapshotId, maxInFlightBytes: 2 * BLOCK_SIZE });
    const begun = requestsBegun('GetSnapshotBlock');
    const blocks = reader[Symbol.asyncIterator]();
    const next = async (): Promise<Block> => (await blocks.next()).value as Block;
    const held = [await next(), await next()];
    const third = next();
    expect(service.requests('GetSnapshotBlock')).toBe(2);
    reader.limits = { ...reader.limits, maxInFlightBytes: 6 * BLOCK_SIZE };
    held.push(await third, await next(), await next(), await next());
    expect(held.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(service.requests('GetSnapshotBlock')).toBe(6);
    reader.limits = { ...reader.limits, maxInFlightBytes: BLOCK_SIZE };
    for (const block of held.slice(0, 5)) block.release();
    const seventh = next();
    await settled();
    expect(begun).toHaveLength(6);
    held[5]?.release();
    expect((await seventh).index).toBe(6);
    expect(() => (reader.limits = { maxInFlightBytes: -1 })).toThrow(RangeError);
  });
});

describe('SnapshotReader at its end', () => {
  it.each(['blocks', 'bytes'] as const)(
    'asks for nothing once it is destroyed, of %s',
    async (as) => {
      const service = await startLocalService();
      const contents = new Map(Array.from({ length: 60 }, (_, i) => [i, 1 + i] as const));
      const snapshotId = await storeSnapshot(service.client, contents);
      // The second is the listing, the third the answer to it; later ones are among the blocks.
      const moments: ((reader: SnapshotReader<'blocks' | 'bytes'>, stop: () => void) => unknown)[] =
        [
          (_, stop) => stop(),
          (_, stop) => setImmediate(stop),
          (reader, stop) => reader.once('ready', stop),
          ...[1, 2, 7, 30].map((gets) => (_: unknown, stop: () => void) => {
            const before = service.requests('GetSnapshotBlock');
            const wait = (): void => {
              if (service.requests('GetSnapshotBlock') >= before + gets) stop();
              else setImmediate(wait);
            };
            wait();
          }),
        ];
      for (const [number, at] of moments.entries()) {
        const reader = read<'blocks' | 'bytes'>(service, { snapshotId, as });
        const closed = once(reader, 'close');
        const begun = requestsBegun('any', () => reader.destroyed);
        reader.on('data', () => undefined);
        at(reader, () => void reader.destroy());
        await closed;
        expect(begun, `moment ${number}`).toEqual([]);
        expect(reader.progress.inFlight).toBe(0);
      }
    },
  );

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

/** Notes each request as it is made, until the test ends: those of one operation, or any, while `when` holds. */
function requestsBegun(operation: string, when = (): boolean => true): readonly string[] {
  const begun: string[] = [];
  const note = (message: unknown): void => {
    const { operation: name } = message as { operation: string };
    if ((operation === 'any' || operation === name) && when()) begun.push(name);
  };
  subscribe('ebs-snapshot-stream:request:start', note);
  onTestFinished(() => void unsubscribe('ebs-snapshot-stream:request:start', note));
  return begun;
}

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
