import { expect, test } from 'vitest';
import { Quotas, type QuotaSettings } from '../../../../src/local-server/hostility/quotas.ts';
import { TokenBucket } from '../../../../src/local-server/hostility/token-bucket.ts';
import { Refusal } from '../../../../src/local-server/refusal.ts';

const PUT = { operation: 'PutSnapshotBlock', region: 'us-east-1', snapshotId: 'snap-1' };

/** 'ok', or what the refusal says. */
function charge(
  quotas: Quotas,
  settings: QuotaSettings,
  { nowMs = 0, ...subject }: { nowMs?: number; snapshotId?: string; operation?: string } = {},
): string {
  try {
    quotas.charge(settings, { ...PUT, ...subject }, nowMs);
    return 'ok';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${error.status} ${error.type} ${error.reason ?? '-'}`;
  }
}

test('a bucket gives its depth at once, then its rate, and never more than its depth', () => {
  const bucket = new TokenBucket();
  const quota = { rate: 10, depth: 3 };
  const taken = (nowMs: number): number => {
    let count = 0;
    for (; bucket.holds(quota, nowMs); count += 1) bucket.take();
    return count;
  };
  expect([taken(0), taken(99), taken(101), taken(301), taken(60_000)]).toEqual([3, 0, 1, 2, 3]);
});

test('a changed rate rules from then on', () => {
  const bucket = new TokenBucket();
  for (; bucket.holds({ rate: 1, depth: 1 }, 0);) bucket.take();
  expect(bucket.holds({ rate: 1, depth: 1 }, 100)).toBe(false);
  expect(bucket.holds({ rate: 100, depth: 1 }, 110)).toBe(true);
});

test('each snapshot has its bucket, the account one for all', () => {
  const quotas = new Quotas();
  const settings: QuotaSettings = {
    snapshot: { PutSnapshotBlock: { rate: 1, depth: 1 } },
    account: { PutSnapshotBlock: { rate: 1, depth: 2 } },
  };
  const outcomes = ['snap-1', 'snap-1', 'snap-2', 'snap-3'].map((snapshotId) =>
    charge(quotas, settings, { snapshotId }),
  );
  expect(outcomes).toEqual([
    'ok',
    '400 RequestThrottledException RESOURCE_LEVEL_THROTTLE',
    'ok',
    '400 RequestThrottledException ACCOUNT_THROTTLED',
  ]);
});

test('a request that the account refuses costs the snapshot nothing', () => {
  const quotas = new Quotas();
  const snapshot = { PutSnapshotBlock: { rate: 0, depth: 1 } };
  const account = { PutSnapshotBlock: { rate: 1, depth: 1 } };
  expect(charge(quotas, { account })).toBe('ok');
  expect(charge(quotas, { account, snapshot })).toContain('ACCOUNT');
  expect(charge(quotas, { snapshot })).toBe('ok');
});

test('operations do not share', () => {
  const quotas = new Quotas();
  const account = { StartSnapshot: { rate: 1, depth: 1 }, CompleteSnapshot: { rate: 1, depth: 1 } };
  expect(charge(quotas, { account }, { operation: 'StartSnapshot' })).toBe('ok');
  expect(charge(quotas, { account }, { operation: 'CompleteSnapshot' })).toBe('ok');
  expect(charge(quotas, { account }, { operation: 'ListSnapshotBlocks' })).toBe('ok');
  expect(charge(quotas, { account }, { operation: 'StartSnapshot' })).toContain('ACCOUNT');
});

test('the account error can be the one that the model does not know', () => {
  const quotas = new Quotas();
  const account = { PutSnapshotBlock: { rate: 0, depth: 1 } };
  charge(quotas, { account });
  const outcome = charge(quotas, { account, accountError: 'ThrottlingException' });
  expect(outcome).toBe('400 ThrottlingException -');
});

test('a neighbour takes its share of the rate, as long as it is there', () => {
  const quotas = new Quotas();
  const account = { PutSnapshotBlock: { rate: 10, depth: 1 } };
  const neighbour = { PutSnapshotBlock: 9 };
  expect(charge(quotas, { account, neighbour })).toBe('ok');
  expect(charge(quotas, { account, neighbour }, { nowMs: 900 })).toContain('ACCOUNT');
  expect(charge(quotas, { account, neighbour }, { nowMs: 1001 })).toBe('ok');
  expect(charge(quotas, { account }, { nowMs: 1102 })).toBe('ok');
});
