import { expect, it } from 'vitest';
import type { Flag, FlagKind } from '../../src/cli/command-table.ts';
import { parseValue } from '../../src/cli/parse-value.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

const flagOf = (kind: FlagKind): Flag => ({ name: 'flag', kind, value: 'X', description: '' });

it.each<[FlagKind, string, unknown]>([
  ['number', '8', 8],
  ['number', '1.5', 1.5],
  ['number', '-1', -1],
  ['size', '0', 0],
  ['size', '524288', 524_288],
  ['size', '512K', 524_288],
  ['size', '64m', 67_108_864],
  ['size', '1.5G', 1_610_612_736],
  ['size', '64T', 70_368_744_177_664],
  ['rate', '10M', 10_485_760],
  ['rate', '1.5k/s', 1536],
  ['port', '0', 0],
  ['port', '65535', 65_535],
  ['url', 'http://127.0.0.1:8733', 'http://127.0.0.1:8733'],
  ['url', 'https://ebs.us-east-1.amazonaws.com', 'https://ebs.us-east-1.amazonaws.com'],
  ['tag', 'Name=web', [{ Key: 'Name', Value: 'web' }]],
  ['tag', 'query=a=b', [{ Key: 'query', Value: 'a=b' }]],
  ['tag', 'empty=', [{ Key: 'empty', Value: '' }]],
  ['text', '', ''],
])('reads a %s from "%s"', (kind, text, value) => {
  expect(parseValue(flagOf(kind), text)).toEqual(value);
});

it.each<[FlagKind, string]>([
  ['number', ''],
  ['number', ' '],
  ['number', '0x10'],
  ['number', '1e3'],
  ['number', 'Infinity'],
  ['number', '1_000'],
  ['size', ''],
  ['size', 'M'],
  ['size', '64MB'],
  ['size', '64M/s'],
  ['rate', '/s'],
  ['rate', '64M/min'],
  ['size', '64 M'],
  ['size', '1P'],
  ['port', '-1'],
  ['port', '80.5'],
  ['port', '65536'],
  ['url', '127.0.0.1:8733'],
  ['url', 'http://'],
  ['url', 'file:///tmp'],
  ['tag', 'Name'],
])('refuses a %s that reads "%s"', (kind, text) => {
  expect(() => parseValue(flagOf(kind), text)).toThrow(UsageError);
  expect(() => parseValue(flagOf(kind), text)).toThrow(`--flag must be`);
});

it('collects a flag that is repeated', () => {
  const first = parseValue(flagOf('tag'), 'a=1');
  expect(parseValue(flagOf('tag'), 'b=2', first)).toEqual([
    { Key: 'a', Value: '1' },
    { Key: 'b', Value: '2' },
  ]);
});

it('takes one of the choices', () => {
  const flag: Flag = { ...flagOf('text'), choices: ['write', 'omit'] };
  expect(parseValue(flag, 'omit')).toBe('omit');
  expect(() => parseValue(flag, 'skip')).toThrow('write or omit');
});
