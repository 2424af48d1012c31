import { ClassicLevel } from 'classic-level';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  blockKey,
  decodeBlock,
  encodeBlock,
  lastBlockWithBytes,
  walkBlocks,
  type Metadata,
} from '../../../src/local-server/block-records.ts';

const HIGHEST = 2 ** 27 - 1;

async function openMetadata(): Promise<Metadata> {
  const metadata: Metadata = new ClassicLevel(await temporaryFolder(), {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
  });
  await metadata.open();
  return metadata;
}

test('a walk over a chain is the union in index order, the nearest owner winning', async () => {
  const metadata = await openMetadata();
  const indices = fc.uniqueArray(fc.oneof(fc.nat(40), fc.nat(HIGHEST)), { maxLength: 30 });
  let generation = 0;
  const property = fc.asyncProperty(
    fc.array(indices, { minLength: 1, maxLength: 4 }),
    fc.nat(45),
    async (layers, start) => {
      generation += 1;
      const chain = layers.map((_, i) => `snap-0${String(generation * 10 + i).padStart(16, '0')}`);
      const expected = new Map<number, string>();
      for (const [i, layer] of layers.entries()) {
        const ownerId = String(chain[i]);
        for (const index of layer) {
          await metadata.put(
            blockKey(ownerId, index),
            encodeBlock({ slot: 0, digest: Buffer.alloc(32) }),
          );
          if (index >= start && !expected.has(index)) expected.set(index, ownerId);
        }
      }
      const walked: [number, string][] = [];
      for await (const { blockIndex, ownerId } of walkBlocks(metadata, chain, start)) {
        walked.push([blockIndex, ownerId]);
      }
      expect(walked).toEqual([...expected].sort(([a], [b]) => a - b));
      const last = await lastBlockWithBytes(metadata, String(chain[0]), 5);
      expect(last?.blockIndex ?? -1).toBe(Math.max(-1, ...(layers[0] ?? [])));
    },
  );
  await fc.assert(property, { numRuns: 60 });
  await metadata.close();
});

test('a walk longer than one batch of keys loses none, and may be left early', async () => {
  const metadata = await openMetadata();
  const id = 'snap-00000000000000001';
  const value = encodeBlock({ slot: null, digest: Buffer.alloc(32) });
  await metadata.batch(
    Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: blockKey(id, i * 7), value })),
  );
  const walked: number[] = [];
  for await (const { blockIndex } of walkBlocks(metadata, [id], 0)) walked.push(blockIndex);
  expect(walked).toEqual(Array.from({ length: 3000 }, (_, i) => i * 7));
  for await (const { blockIndex } of walkBlocks(metadata, [id], 10)) {
    expect(blockIndex).toBe(14);
    break;
  }
  await metadata.close();
});

test.each([0, 1, null] as const)('a record with slot %s survives its encoding', (slot) => {
  const digest = Buffer.alloc(32, 7);
  expect(decodeBlock(encodeBlock({ slot, digest }))).toEqual({ slot, digest });
});
