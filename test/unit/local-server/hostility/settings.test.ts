import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { FAULTS } from '../../../../src/local-server/hostility/fault-table.ts';
import { readHostility } from '../../../../src/local-server/hostility/read-settings.ts';
import {
  conditionsAt,
  nextStepMs,
  type HostilitySettings,
} from '../../../../src/local-server/hostility/settings.ts';

const EVERYTHING: HostilitySettings = {
  seed: 7,
  quotas: {
    account: { PutSnapshotBlock: { rate: 5000 }, ListChangedBlocks: { rate: 50, depth: 10 } },
    snapshot: { GetSnapshotBlock: { rate: 1000, depth: 20 } },
    neighbour: { PutSnapshotBlock: 500 },
    accountError: 'ThrottlingException',
    refuse: 'early',
    pendingSnapshots: 100,
  },
  latency: {
    default: 5,
    PutSnapshotBlock: {
      medianMs: 100,
      sigma: 0.4,
      tail: { probability: 0.002, minMs: 1000, alpha: 1.2, maxMs: 60_000 },
    },
    GetSnapshotBlock: { minMs: 10, maxMs: 20 },
  },
  path: {
    upBytesPerSecond: 5_033_165,
    downBytesPerSecond: 5e6,
    connectionBytesPerSecond: 1e6,
    rttMs: 30,
    receiveWindowBytes: 16_384,
  },
  faults: {
    reset: 0.01,
    unavailable: { rate: 0.001, burstMs: 3000, operations: ['ListSnapshots'] },
  },
  frozen: false,
  lags: { visibilityMs: 1000 },
  schedule: [
    { atMs: 0, frozen: true },
    { atMs: 1000, frozen: false, faults: {} },
  ],
};

test('all there is can be set, and is copied', () => {
  const read = readHostility(EVERYTHING);
  expect(read).toEqual(EVERYTHING);
  expect(read.quotas).not.toBe(EVERYTHING.quotas);
});

test.each<[unknown, string]>([
  [null, 'Expected an object for hostility, received null.'],
  [[], 'Expected an object for hostility, received [].'],
  [{ qoutas: {} }, 'Unknown setting hostility.qoutas.'],
  [{ constructor: {} }, 'Unknown setting hostility.constructor.'],
  [{ seed: -1 }, 'Expected a whole number from 0 to 4294967295 for hostility.seed, received -1.'],
  [{ faults: { rest: 0.1 } }, 'Unknown setting hostility.faults.rest.'],
  [
    { faults: { reset: 1.1 } },
    'Expected a number from 0 to 1 for hostility.faults.reset, received 1.1.',
  ],
  [{ faults: { reset: {} } }, 'Expected a value for hostility.faults.reset.rate, received none.'],
  [
    { faults: { stall: { rate: 1, forMs: '5' } } },
    'Expected a number from 0 to 2147483647 for hostility.faults.stall.forMs, received "5".',
  ],
  [
    { faults: { stall: { rate: 1, operations: 'Put' } } },
    'Expected a list for hostility.faults.stall.operations, received "Put".',
  ],
  [{ latency: { PutBlock: 1 } }, 'Unknown setting hostility.latency.PutBlock.'],
  [
    { latency: { default: { medianMs: 1 } } },
    'Expected a value for hostility.latency.default.sigma, received none.',
  ],
  [
    { latency: { default: { minMs: 1 } } },
    'Expected a value for hostility.latency.default.maxMs, received none.',
  ],
  [
    { path: { upBytesPerSecond: 0 } },
    'Expected a number of at least 1 for hostility.path.upBytesPerSecond, received 0.',
  ],
  [
    { quotas: { account: { PutSnapshotBlock: { rate: -1 } } } },
    'Expected a number of at least 0 for hostility.quotas.account.PutSnapshotBlock.rate, received -1.',
  ],
  [
    { quotas: { refuse: 'late' } },
    'Expected early or after-body for hostility.quotas.refuse, received "late".',
  ],
  [{ frozen: 1 }, 'Expected true or false for hostility.frozen, received 1.'],
  [{ lags: { visibleMs: 1 } }, 'Unknown setting hostility.lags.visibleMs.'],
  [
    { schedule: [{ frozen: true }] },
    'Expected a value for hostility.schedule[0].atMs, received none.',
  ],
  [{ schedule: [{ atMs: 0, seed: 1 }] }, 'Unknown setting hostility.schedule[0].seed.'],
  [
    { schedule: [{ atMs: 5 }, { atMs: 4 }] },
    'Expected no earlier time than the step before for hostility.schedule[1].atMs, received 4.',
  ],
])('%j is refused in one sentence', (settings, sentence) => {
  expect(() => readHostility(settings)).toThrow(
    expect.objectContaining({
      message: sentence,
      code: expect.stringMatching(/^ERR_[IO]/) as string,
    }),
  );
});

test('steps replace what they name, when their time has come', () => {
  const settings: HostilitySettings = {
    faults: { reset: 0.5 },
    path: { rttMs: 10, upBytesPerSecond: 100 },
    schedule: [
      { atMs: 1000, path: { rttMs: 20 } },
      { atMs: 2000, faults: {} },
    ],
  };
  expect(conditionsAt(settings, 999)).toEqual({
    faults: { reset: 0.5 },
    path: { rttMs: 10, upBytesPerSecond: 100 },
  });
  expect(conditionsAt(settings, 1000)).toEqual({ faults: { reset: 0.5 }, path: { rttMs: 20 } });
  expect(conditionsAt(settings, 9999)).toEqual({ faults: {}, path: { rttMs: 20 } });
  expect([0, 1000, 2000].map((ms) => nextStepMs(settings, ms))).toEqual([1000, 2000, undefined]);
});

test('docs/local-service.md has every fault, in the order of the table, and settings that can be set', async () => {
  const page = await readFile('docs/local-service.md', 'utf8');
  const [, afterHeading = ''] = page.split('\n## Make it fail\n');
  const rows = [...(afterHeading.split('\n## ')[0] ?? '').matchAll(/^\| `([\w-]+)` \|/gm)];
  expect(rows.map(([, name]) => name)).toEqual(Object.keys(FAULTS));
  const example = /```json\n([^]*?)```/.exec(page)?.[1] ?? '';
  expect(readHostility(JSON.parse(example))).toHaveProperty('seed', 7);
});
