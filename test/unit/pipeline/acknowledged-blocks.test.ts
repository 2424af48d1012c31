import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sha256, toBase64, ZERO_BLOCK_DIGEST } from '../../../src/base/digest.ts';
import { AcknowledgedBlocks } from '../../../src/pipeline/acknowledged-blocks.ts';

const FF_BLOCK_DIGEST = sha256(Buffer.alloc(524_288, 0xff));

/** The check values of the service contract, captured and computed apart from this code. */
describe('AcknowledgedBlocks', () => {
  test('nothing', () => {
    const blocks = new AcknowledgedBlocks();
    expect(blocks.count).toBe(0);
    expect(toBase64(blocks.aggregateDigest())).toBe('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
  });

  test('one zero block', () => {
    const blocks = new AcknowledgedBlocks();
    blocks.record(0, ZERO_BLOCK_DIGEST);
    expect(toBase64(blocks.aggregateDigest())).toBe('3QyamIjs9/uk1ge+ZPpwA6Yo7YmArJ8I121qDaF+DcI=');
  });

  test.each([1, 127, 128, 134_217_727])(
    'a zero block and an FF block at %i, recorded backwards',
    (index) => {
      const blocks = new AcknowledgedBlocks();
      blocks.record(index, FF_BLOCK_DIGEST);
      blocks.record(0, ZERO_BLOCK_DIGEST);
      expect(blocks.count).toBe(2);
      expect(toBase64(blocks.aggregateDigest())).toBe(
        'QuWhAEV7Qid0i9uuVwexaWSfKmFKH0P/+Oi8JqIj0tc=',
      );
    },
  );

  test('a block recorded twice counts once, with its last digest', () => {
    const blocks = new AcknowledgedBlocks();
    blocks.record(7, ZERO_BLOCK_DIGEST);
    blocks.record(7, FF_BLOCK_DIGEST);
    expect(blocks.count).toBe(1);
    const expected = createHash('sha256').update(FF_BLOCK_DIGEST).digest();
    expect(Buffer.compare(blocks.aggregateDigest(), expected)).toBe(0);
  });
});
