import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { restoreSnapshot, type TransportChoice } from '../../src/index.ts';
import type { HostilitySettings } from '../../src/local.ts';
import { startLocalService } from '../support/local-service.ts';
import { firstDifference, storeSnapshot, type Contents } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

vi.mock(import('../../src/base/clock.ts'), async () => {
  const { QuickClock } = await import('../support/quick-clock.ts');
  return { systemClock: new QuickClock(10) };
});

const EIGHT_DAYS_MS = 8 * 24 * 3_600_000;

/** Long enough for each of the faults to strike. */
const CONTENTS: Contents = new Map(
  Array.from({ length: 300 }, (_, index) => [index * 4, index % 9] as const),
);

const operations = ['GetSnapshotBlock'];

/** Stalls, resets, errors of the service, cut, wrong and damaged answers. */
const FAULTS: NonNullable<HostilitySettings['faults']> = {
  stall: { rate: 0.02, operations },
  'stall-in-answer': { rate: 0.02, operations },
  reset: { rate: 0.025, operations },
  'cut-answer': { rate: 0.025, operations },
  'internal-error': { rate: 0.02, operations },
  unavailable: { rate: 0.025, operations },
  corrupt: { rate: 0.02, operations },
  'wrong-checksum': { rate: 0.025, operations },
};

test.each<[TransportChoice, number]>([
  ['lean', 21],
  ['sdk', 22],
])(
  'a restore over %s survives all faults, a quota and expired tokens at once (seed %i)',
  async (transport, seed) => {
    let aheadMs = 0;
    const { ebs, client } = await startLocalService({
      clock: { now: () => 1.8e12 + systemClock.now() + aheadMs },
      hostility: {
        seed,
        faults: FAULTS,
        quotas: { snapshot: { GetSnapshotBlock: { rate: 60, depth: 60 } } },
      },
      historyLimit: 100_000,
    });
    const snapshotId = await storeSnapshot(client, CONTENTS);
    const folder = await temporaryFolder();
    const target = join(folder, 'disk.img');
    const result = await restoreSnapshot({
      client,
      transport,
      snapshotId,
      target,
      manifest: join(folder, 'manifest'),
      maxInFlightBytes: 16 * 524_288,
      on: {
        progress: ({ blocksTransferred }) => {
          if (blocksTransferred > 100) aheadMs = EIGHT_DAYS_MS;
        },
      },
    });
    expect(result.blocksRead).toBe(CONTENTS.size);
    expect(await firstDifference(target, CONTENTS)).toBeUndefined();

    const gets = ebs.history().filter(({ operation }) => operation === 'GetSnapshotBlock');
    const struck = new Set(gets.map(({ fault }) => fault).filter((fault) => fault !== undefined));
    expect([...struck].sort()).toEqual(Object.keys(FAULTS).sort());
    expect(gets.some(({ reason }) => reason === 'INVALID_BLOCK_TOKEN')).toBe(true);
    expect(gets.some(({ status }) => status === 400)).toBe(true);
  },
  120_000,
);
