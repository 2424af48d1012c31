import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import * as library from '../../../src/base/constants.ts';
import * as wire from '../../../src/local-server/wire-table.ts';

test('the service and the library read the same numbers from the documents', () => {
  expect(wire.BLOCK_SIZE).toBe(library.BLOCK_SIZE);
  expect(wire.BLOCKS_PER_GIB).toBe(library.BLOCKS_PER_GIB);
  expect(wire.MAX_VOLUME_SIZE_GIB).toBe(library.VOLUME_SIZE_GIB_MAX);
});

test('the digest of a zero block', () => {
  const digest = createHash('sha256').update(Buffer.alloc(wire.BLOCK_SIZE)).digest('hex');
  expect(wire.ZERO_BLOCK_SHA256_HEX).toBe(digest);
});
