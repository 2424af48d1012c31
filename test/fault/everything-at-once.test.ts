import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { SnapshotWriter, type TransportChoice } from '../../src/index.ts';
import type { HostilitySettings } from '../../src/local.ts';
import { chunksOf, diskOf, expectedPuts } from '../support/disk-content.ts';
import { startLocalService } from '../support/local-service.ts';

vi.mock(import('../../src/base/clock.ts'), async () => {
  const { QuickClock } = await import('../support/quick-clock.ts');
  return { systemClock: new QuickClock(10) };
});

/** Long enough for each of the faults to strike. */
const KINDS = 'd0000000'.repeat(64);
const BLOCKS = KINDS.length;

/** Stalls, resets before and after the block is stored, errors of the service, cut bodies, and a blind start. */
const FAULTS: NonNullable<HostilitySettings['faults']> = {
  stall: 0.005,
  'reset-in-body': 0.01,
  'lose-answer': 0.01,
  'internal-error': 0.02,
  unavailable: 0.01,
  'bad-read': 0.02,
  invisible: { rate: 1, withinMs: 20_000 },
};

/** What struck, as the service put it on record. */
const STRUCK = [...Object.keys(FAULTS)].sort();

test.each<[TransportChoice, number]>([
  ['lean', 11],
  ['sdk', 12],
])('an upload over %s survives all faults at once (seed %i)', async (transport, seed) => {
  const { ebs, client } = await startLocalService({
    clock: { now: () => 1.8e12 + systemClock.now() },
    hostility: { seed, faults: FAULTS },
    historyLimit: 100_000,
  });
  const disk = diskOf(KINDS);
  const writer = new SnapshotWriter({ client, transport, params: { VolumeSize: 1 } });
  let drops = 0;
  writer.on('retry', ({ error }) => {
    if (error.message.includes('was dropped')) drops += 1;
  });
  await pipeline(Readable.from(chunksOf(disk, 1_000_000)), writer);
  const { snapshotId, checksum } = await writer.done();

  const puts = ebs.history().filter(({ operation }) => operation === 'PutSnapshotBlock');
  const struck = new Set(puts.map(({ fault }) => fault).filter((fault) => fault !== undefined));
  expect([...struck].sort()).toEqual(STRUCK);
  // A block whose answer was lost is acknowledged twice, of which its client knows one; each digest is the disk's.
  const stored = puts.filter(({ status }) => status === 201);
  const storedBlocks = new Set(stored.map(({ blockIndex, digest }) => `${blockIndex}:${digest}`));
  expect(storedBlocks).toEqual(new Set(expectedPuts(disk)));
  const report = await ebs.snapshotReport(snapshotId);
  // On a clock that goes fast, an answer may be on its way when its request is dropped as late.
  expect(drops).toBeGreaterThan(0);
  expect(report?.needlessPuts).toBeLessThanOrEqual(drops);
  expect(report).toMatchObject({
    status: 'completed',
    blocksPut: BLOCKS,
    putsAfterComplete: 0,
    declared: { changedBlocksCount: BLOCKS, checksum },
    computed: { changedBlocksCount: BLOCKS, checksum },
  });
});
