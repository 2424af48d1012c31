import { expect, test } from 'vitest';
import { EpochTime, formatEpoch, toWireJson } from '../../../src/local-server/wire-json.ts';

test.each([
  [1_790_337_440_328, '1.790337440328E9'],
  [1_790_337_440_570, '1.79033744057E9'],
  [1_790_337_440_000, '1.79033744E9'],
  [1_000_000_000_000, '1.0E9'],
])('%d ms is written as %s', (ms, text) => {
  expect(formatEpoch(ms)).toBe(text);
  expect(Number(text)).toBe(ms / 1000);
});

test('keys are sorted, absent values are null, there are no spaces', () => {
  const value = { b: [1, { d: null, c: 'x"' }], a: new EpochTime(1_790_337_440_570), B: true };
  expect(toWireJson(value)).toBe('{"B":true,"a":1.79033744057E9,"b":[1,{"c":"x\\"","d":null}]}');
});
