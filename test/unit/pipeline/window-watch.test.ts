import { expect, test } from 'vitest';
import { WindowWatch, type WindowState } from '../../../src/pipeline/window-watch.ts';

const STATE: WindowState = { limit: 100, jobs: 1, inFlight: 90, limitedBy: 'window' };

function makeWatch() {
  const reported: WindowState[] = [];
  const now = { ms: 0, state: undefined as WindowState | undefined };
  const watch = new WindowWatch({
    read: () => now.state,
    report: (state) => reported.push(state),
    now: () => now.ms,
  });
  /** What is reported of a state, a while after the last look. */
  const lookAt = (state: WindowState | undefined, afterMs = 100): WindowState[] => {
    now.ms += afterMs;
    now.state = state;
    watch.look();
    return reported.splice(0);
  };
  return { lookAt };
}

test('says nothing before the first block, then how it begins', () => {
  const { lookAt } = makeWatch();
  expect(lookAt(undefined)).toEqual([]);
  expect(lookAt(STATE)).toEqual([STATE]);
  expect(lookAt(STATE)).toEqual([]);
});

test.each<[string, Partial<WindowState>]>([
  ['another brake', { limitedBy: 'source' }],
  ['another job', { jobs: 2 }],
  ['a larger window', { limit: 112 }],
  ['a smaller window', { limit: 90 }],
  ['a quota that was found', { snapshotPerSecond: 990 }],
  ['the quota of the account', { accountPerSecond: 40 }],
])('tells of %s', (_, change) => {
  const { lookAt } = makeWatch();
  lookAt(STATE);
  expect(lookAt({ ...STATE, ...change })).toEqual([{ ...STATE, ...change }]);
  // And of the way back.
  expect(lookAt(STATE)).toEqual([STATE]);
});

test.each<[string, Partial<WindowState>]>([
  ['requests in flight', { inFlight: 3 }],
  ['latency', { latencyMs: 4000 }],
  ['a window that moves by less than a tenth', { limit: 109 }],
])('takes %s for no news', (_, change) => {
  const { lookAt } = makeWatch();
  lookAt(STATE);
  expect(lookAt({ ...STATE, ...change })).toEqual([]);
});

test('adds small changes up', () => {
  const { lookAt } = makeWatch();
  lookAt(STATE);
  const limits = [95, 91, 90].map((limit) => lookAt({ ...STATE, limit }).length);
  expect(limits).toEqual([0, 0, 1]);
});

test('looks at most ten times a second', () => {
  const { lookAt } = makeWatch();
  lookAt(STATE);
  expect(lookAt({ ...STATE, limit: 500 }, 99)).toEqual([]);
  expect(lookAt({ ...STATE, limit: 500 }, 1)).toHaveLength(1);
});
