import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sha256, toBase64, ZERO_BLOCK_DIGEST } from '../../../src/base/digest.ts';
import { zeroBlock } from '../../../src/engine/zero-block.ts';
import { AcknowledgedBlocks } from '../../../src/pipeline/acknowledged-blocks.ts';

async function figuresOf(blocks: AcknowledgedBlocks): Promise<[number, string]> {
  const { changedBlocksCount, aggregateDigest } = await blocks.summary();
  return [changedBlocksCount, toBase64(aggregateDigest)];
}

const FF_BLOCK_DIGEST = sha256(Buffer.alloc(524_288, 0xff));

/** The check values of the service contract, captured and computed apart from this code. */
describe('AcknowledgedBlocks', () => {
  test('nothing', async () => {
    const blocks = new AcknowledgedBlocks();
    expect(await figuresOf(blocks)).toEqual([0, '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=']);
  });

  test('one zero block', async () => {
    const blocks = new AcknowledgedBlocks();
    blocks.record(0, ZERO_BLOCK_DIGEST);
    expect(await figuresOf(blocks)).toEqual([1, '3QyamIjs9/uk1ge+ZPpwA6Yo7YmArJ8I121qDaF+DcI=']);
  });

  test.each([1, 127, 128, 134_217_727])(
    'a zero block and an FF block at %i, recorded backwards',
    async (index) => {
      const blocks = new AcknowledgedBlocks();
      blocks.record(index, FF_BLOCK_DIGEST);
      blocks.record(0, ZERO_BLOCK_DIGEST);
      expect(await figuresOf(blocks)).toEqual([2, 'QuWhAEV7Qid0i9uuVwexaWSfKmFKH0P/+Oi8JqIj0tc=']);
    },
  );

  test('a block recorded twice counts once, with its last digest', async () => {
    const blocks = new AcknowledgedBlocks();
    blocks.record(7, ZERO_BLOCK_DIGEST);
    blocks.record(7, FF_BLOCK_DIGEST);
    const expected = createHash('sha256').update(FF_BLOCK_DIGEST).digest();
    expect(await figuresOf(blocks)).toEqual([1, toBase64(expected)]);
  });

  test('a zero block is left out only where nothing else was sent', () => {
    const blocks = new AcknowledgedBlocks({ omitsZeroBlocks: true });
    blocks.record(7, FF_BLOCK_DIGEST);
    expect([6, 7, 8].map((index) => blocks.decide(zeroBlock(index, 'zero')))).toEqual([
      'omit',
      'send',
      'omit',
    ]);
    expect(new AcknowledgedBlocks().decide(zeroBlock(6, 'hole'))).toBe('send');
  });
});
