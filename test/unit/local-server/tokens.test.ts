import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Tokens } from '../../../src/local-server/tokens.ts';

const NOW = 1_790_337_440_570;
const BLOCK = { snapshotId: 'snap-0123456789abcdef1', blockIndex: 2 ** 27 - 1 };
const LISTING = { operation: 'ListSnapshotBlocks', snapshotIds: [BLOCK.snapshotId] } as const;
const tokens = new Tokens(randomBytes(32));

test('tokens have the length and the first letters of real ones', () => {
  expect(tokens.forBlock(BLOCK, NOW)).toMatch(/^AlMB[A-Za-z0-9_-]{91}$/);
  expect(tokens.forPage({ ...LISTING, nextIndex: 5 }, NOW)).toMatch(/^AlMD[A-Za-z0-9_-]{107}$/);
});

test('a block token opens its block until it expires', () => {
  const token = tokens.forBlock(BLOCK, NOW);
  expect(tokens.opensBlock(token, BLOCK, NOW)).toBe(true);
  expect(tokens.opensBlock(token, BLOCK, NOW + 7 * 86_400_000)).toBe(false);
  expect(tokens.opensBlock(token, { ...BLOCK, blockIndex: 0 }, NOW)).toBe(false);
  expect(tokens.opensBlock(token, { ...BLOCK, snapshotId: 'snap-0123456789abcdef2' }, NOW)).toBe(
    false,
  );
});

test('no two tokens of one block are alike', () => {
  const made = Array.from({ length: 1000 }, () => tokens.forBlock(BLOCK, NOW));
  expect(new Set(made).size).toBe(1000);
});

test('a page token opens its listing until it expires', () => {
  const token = tokens.forPage({ ...LISTING, nextIndex: 2 ** 27 }, NOW);
  expect(tokens.openPage(token, LISTING, NOW)).toBe(2 ** 27);
  expect(tokens.openPage(token, LISTING, NOW + 3_600_000)).toBeUndefined();
  const other = { ...LISTING, operation: 'ListChangedBlocks' } as const;
  expect(tokens.openPage(token, other, NOW)).toBeUndefined();
});

test('no changed character and no other key passes', () => {
  const token = tokens.forBlock(BLOCK, NOW);
  for (let i = 0; i < token.length; i += 1) {
    const letter = token[i] === 'A' ? 'B' : 'A';
    const forged = token.slice(0, i) + letter + token.slice(i + 1);
    expect(tokens.opensBlock(forged, BLOCK, NOW), `character ${i}`).toBe(false);
  }
  expect(new Tokens(randomBytes(32)).opensBlock(token, BLOCK, NOW)).toBe(false);
  expect(tokens.opensBlock(`${token}=`, BLOCK, NOW)).toBe(false);
});
