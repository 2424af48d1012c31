import { expect, test } from 'vitest';

interface Put {
  readonly status: number;
  readonly errorType?: string;
  readonly bodyBytesIn?: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly attainable: number;
}
interface Steady {
  readonly blocksIn: (puts: readonly Put[], spans: readonly Span[]) => number;
  readonly attainableIn: (spans: readonly Span[]) => number;
  readonly throttledShare: (puts: readonly Put[], spans: readonly Span[]) => number;
  readonly jain: (shares: readonly number[]) => number;
  readonly secondsToRate: (
    samples: readonly { readonly atMs: number; readonly blocks: number }[],
    attainable: number,
  ) => number;
}

const { blocksIn, attainableIn, throttledShare, jain, secondsToRate } = (await import(
  new URL('../../bench/macro/steady.js', import.meta.url).href
)) as Steady;

const SPANS = [
  { fromMs: 1000, toMs: 2000, attainable: 10 },
  { fromMs: 3000, toMs: 5000, attainable: 100 },
];

function put(startedAtMs: number, endedAtMs: number, refusal?: string): Put {
  const times = { startedAtMs, endedAtMs };
  return refusal === undefined
    ? { status: 201, ...times }
    : { status: 400, errorType: refusal, ...times };
}

test('a block counts for the part of its time that lies in a span', () => {
  expect(blocksIn([put(1100, 1900)], SPANS)).toBe(1);
  expect(blocksIn([put(500, 1500), put(4500, 5500)], SPANS)).toBe(1);
  expect(blocksIn([put(0, 500), put(2000, 3000), put(5000, 6000)], SPANS)).toBe(0);
  expect(blocksIn([put(0, 6000)], SPANS)).toBe(0.5);
});

test('a block that was not acknowledged does not count', () => {
  expect(blocksIn([put(1100, 1200, 'RequestThrottledException')], SPANS)).toBe(0);
});

test('of a body on its way at the end, what had come counts; of one that was dropped before, nothing', () => {
  const half = { status: 0, bodyBytesIn: 262_144 };
  expect(blocksIn([{ ...half, startedAtMs: 3000, endedAtMs: 7000 }], SPANS)).toBe(0.25);
  expect(blocksIn([{ ...half, startedAtMs: 3000, endedAtMs: 4000 }], SPANS)).toBe(0);
  const stalled = { status: 0, bodyBytesIn: 524_288 };
  expect(blocksIn([{ ...stalled, startedAtMs: 3000, endedAtMs: 7000 }], SPANS)).toBe(0);
});

test('each span has a rate of its own', () => {
  expect(attainableIn(SPANS)).toBe(210);
});

test('the share of refused requests is of those sent in the spans', () => {
  const puts = [
    put(500, 501, 'RequestThrottledException'),
    put(1001, 1002, 'ThrottlingException'),
    put(1001, 1002, 'ValidationException'),
    put(3000, 3001, 'RequestThrottledException'),
    put(3500, 6000),
  ];
  expect(throttledShare(puts, SPANS)).toBe(0.5);
  expect(throttledShare([], SPANS)).toBe(0);
});

test('the index of fairness is 1 for equal shares and 1/n for one that has everything', () => {
  expect(jain([5, 5, 5, 5])).toBe(1);
  expect(jain([20, 0, 0, 0])).toBe(0.25);
  expect(jain([0, 0])).toBe(0);
});

test('a rate is reached when it is kept up for a second', () => {
  const rateFromMs = (fromMs: number) =>
    Array.from({ length: 50 }, (_, i) => {
      const atMs = 100 * i;
      return { atMs, blocks: Math.max(0, (atMs - fromMs) / 10) };
    });
  expect(secondsToRate(rateFromMs(0), 100)).toBe(0);
  expect(secondsToRate(rateFromMs(2000), 100)).toBe(1.9);
  expect(secondsToRate(rateFromMs(0), 200)).toBeNaN();
});

test('of a thin path, ten blocks tell the rate', () => {
  const blockEach2s = Array.from({ length: 400 }, (_, i) => ({
    atMs: 100 * i,
    blocks: Math.floor(i / 20),
  }));
  expect(secondsToRate(blockEach2s, 0.5)).toBe(0);
  expect(secondsToRate(blockEach2s, 1)).toBeNaN();
});
