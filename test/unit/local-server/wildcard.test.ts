import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wildcard } from '../../../src/local-server/wildcard.ts';

test.each<[string, string, boolean]>([
  ['', '', true],
  ['', 'a', false],
  ['*', '', true],
  ['*', 'any\nthing', true],
  ['a*', 'abc', true],
  ['*c', 'abc', true],
  ['a*c*e', 'abcde', true],
  ['a*c*e', 'abcd', false],
  ['*aab', 'aaaab', true],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['?', '\u{1F600}', true],
  ['a\\*', 'a*', true],
  ['a\\*', 'ab', false],
  ['a\\\\*', 'a\\b', true],
  ['a\\', 'a\\', true],
  ['a.c', 'abc', false],
  ['Abc', 'abc', false],
])('%j fits %j: %s', (pattern, text, expected) => {
  expect(wildcard(pattern)(text)).toBe(expected);
});

test('agrees with the regular expression that means the same', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 12 });
  const pattern = fc.array(fc.constantFrom('a', 'b', '.', '*', '?'), { maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (tokens, characters) => {
      const meanings: Record<string, string> = { '*': '.*', '?': '.', '.': '\\.' };
      const source = tokens.map((token) => meanings[token] ?? token).join('');
      const joined = characters.join('');
      expect(wildcard(tokens.join(''))(joined)).toBe(new RegExp(`^${source}$`).test(joined));
    }),
  );
});

test('a pattern of many stars ends on a text that nearly matches', () => {
  expect(wildcard(`${'*a'.repeat(1000)}b`)('a'.repeat(2000))).toBe(false);
});
