import { expect, test } from 'vitest';
import { RateSeries } from '../../../src/local-server/rate-series.ts';
import { SnapshotLedgers } from '../../../src/local-server/snapshot-ledgers.ts';

const PUT = 'PutSnapshotBlock';
const CHECKSUMS = ['QUFBQUFB', 'QkJCQkJC'];

/** A ledger, and one Put of it that ends at once. */
function makeLedger(pagesMax?: number): {
  ledgers: SnapshotLedgers;
  put: (
    blockIndex: number,
    ending?: Partial<{ status: 'ok' | 'failed' | 'lost' | 'throttled' }>,
    checksum?: string,
  ) => number | undefined;
} {
  const ledgers = new SnapshotLedgers(pagesMax);
  return {
    ledgers,
    put: (blockIndex, { status = 'ok' } = {}, checksum = CHECKSUMS[0]) => {
      const arrival = { operation: PUT, snapshotId: 'snap-1', blockIndex, checksum };
      const ledger = ledgers.of('snap-1');
      const attempt = ledger.open(arrival, 0);
      const end = {
        operation: PUT,
        isSuccess: status === 'ok' || status === 'lost',
        isThrottle: status === 'throttled',
        isLost: status === 'lost',
      };
      ledger.close(arrival, end, 0);
      return attempt;
    },
  };
}

test('tells needed repeats from needless ones', () => {
  const { ledgers, put } = makeLedger();
  expect([put(0), put(0)]).toEqual([1, 2]);
  expect([put(1, { status: 'failed' }), put(1)]).toEqual([1, 2]);
  expect([put(2, { status: 'lost' }), put(2)]).toEqual([1, 2]);
  expect([put(3, { status: 'throttled' }), put(3), put(3)]).toEqual([1, 2, 3]);
  expect([put(4), put(4, {}, CHECKSUMS[1]), put(4, {}, CHECKSUMS[1])]).toEqual([1, 2, 3]);
  put(600);
  expect(ledgers.find('snap-1')?.summary()).toMatchObject({
    requests: { [PUT]: 13 },
    blocksPut: 6,
    blocksPutAgain: 5,
    repeatedPuts: 7,
    needlessPuts: 3,
    needlessBlocks: [0, 3, 4],
    throttles: 1,
    untracked: 0,
  });
});

test('a Put that is under way does not make its repeat needless', () => {
  const ledger = new SnapshotLedgers().of('snap-1');
  const arrival = { operation: PUT, snapshotId: 'snap-1', blockIndex: 0, checksum: CHECKSUMS[0] };
  ledger.open(arrival, 0);
  ledger.open(arrival, 0);
  expect(ledger.summary()).toMatchObject({ repeatedPuts: 1, needlessPuts: 0, inFlightMax: 2 });
});

test('memory for blocks is bounded, said when it is used up, and given back', () => {
  const { ledgers, put } = makeLedger(2);
  expect([put(0), put(511), put(512), put(1024), put(1), put(10 ** 9)]).toEqual([
    1,
    1,
    1,
    undefined,
    1,
    undefined,
  ]);
  expect(ledgers.find('snap-1')?.summary()).toMatchObject({ blocksPut: 4, untracked: 2 });
  for (let i = 2; i <= 300; i += 1) ledgers.of(`snap-${i}`);
  expect(ledgers.find('snap-1')).toBeUndefined();
  expect(ledgers.find('snap-300')).toBeDefined();
  expect(put(1024)).toBe(1);
});

test('counts each second by itself, and keeps the last of them', () => {
  const rates = new RateSeries(3);
  for (let second = 0; second < 100; second += 1) {
    rates.arrive(second * 1000, 1);
    rates.arrive(second * 1000 + 999, 2);
    rates.end(second * 1000 + 999, { operation: PUT, isSuccess: true, isThrottle: false });
  }
  rates.end(99_999, { operation: PUT, isSuccess: false, isThrottle: true });
  rates.end(99_999, { operation: 'GetSnapshotBlock', isSuccess: false, isThrottle: false });
  const usual = { arrived: 2, succeeded: 1, throttled: 0, failed: 0, blocksIn: 1, blocksOut: 0 };
  expect(rates.seconds()).toEqual([
    { second: 97, ...usual, inFlightMax: 2 },
    { second: 98, ...usual, inFlightMax: 2 },
    { second: 99, ...usual, throttled: 1, failed: 1, inFlightMax: 2 },
  ]);
});
