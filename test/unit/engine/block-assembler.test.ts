import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { BlockAssembler } from '../../../src/engine/block-assembler.ts';
import { BlockPool, type Lease } from '../../../src/engine/block-pool.ts';
import { fill } from '../../support/disk-content.ts';

const NOISE = fill(Buffer.alloc(4 * BLOCK_SIZE), 9);

describe('BlockAssembler', () => {
  it('cuts chunks of any lengths into the same blocks', async () => {
    const lengths = fc.array(
      fc.oneof(fc.nat(9), fc.nat(70_000), fc.nat(2 * BLOCK_SIZE), fc.constant(BLOCK_SIZE)),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(lengths, async (chunkLengths) => {
        const total = chunkLengths.reduce((sum, length) => sum + length, 0);
        const source = Buffer.alloc(total, NOISE);
        const pool = new BlockPool({ maxBytes: 2 * BLOCK_SIZE });
        const assembler = new BlockAssembler(pool);
        const blocks: Buffer[] = [];
        let offset = 0;
        for (const length of chunkLengths) {
          const chunk = source.subarray(offset, offset + length);
          for await (const lease of assembler.push(chunk)) blocks.push(copyAndRelease(lease));
          offset += length;
        }
        const tail = assembler.finish();
        if (tail !== undefined) blocks.push(copyAndRelease(tail));
        const padded = Buffer.alloc(Math.ceil(total / BLOCK_SIZE) * BLOCK_SIZE);
        source.copy(padded);
        expect(Buffer.concat(blocks).equals(padded)).toBe(true);
        expect(assembler.bytesTaken).toBe(total);
        expect(pool.leasedCount).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('pads a tail over what the last owner of the slot left', async () => {
    const pool = new BlockPool({ maxBytes: 1 });
    const dirty = pool.tryLease();
    dirty?.bytes.fill(255);
    dirty?.release();
    const assembler = new BlockAssembler(pool);
    for await (const lease of assembler.push(Buffer.from('abc'))) lease.release();
    const tail = assembler.finish();
    expect(tail?.bytes.subarray(0, 4).toString('latin1')).toBe('abc\0');
    expect(tail?.bytes.subarray(3).every((byte) => byte === 0)).toBe(true);
  });

  it('has no tail on a block border, and none when there was nothing', async () => {
    const pool = new BlockPool({ maxBytes: BLOCK_SIZE });
    const assembler = new BlockAssembler(pool);
    expect(assembler.finish()).toBeUndefined();
    for await (const lease of assembler.push(NOISE.subarray(0, BLOCK_SIZE))) lease.release();
    expect(assembler.finish()).toBeUndefined();
    expect(pool.leasedCount).toBe(0);
  });

  it('waits for a slot, and goes on once one is released', async () => {
    const pool = new BlockPool({ maxBytes: BLOCK_SIZE });
    const assembler = new BlockAssembler(pool);
    const blocks = assembler.push(NOISE.subarray(0, 2 * BLOCK_SIZE));
    const first = (await blocks.next()).value as Lease;
    let isWaiting = true;
    const second = blocks.next().finally(() => (isWaiting = false));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isWaiting).toBe(true);
    first.release();
    const lease = (await second).value as Lease;
    expect(lease.bytes.equals(NOISE.subarray(BLOCK_SIZE, 2 * BLOCK_SIZE))).toBe(true);
  });

  it('copies without a promise while slots are free, and says when none is', async () => {
    const pool = new BlockPool({ maxBytes: BLOCK_SIZE });
    const assembler = new BlockAssembler(pool);
    const chunk = NOISE.subarray(0, BLOCK_SIZE + 10);
    expect(assembler.copyFrom(chunk.subarray(0, 5), 0)).toBe(5);
    expect(assembler.takeBlock()).toBeUndefined();
    expect(assembler.copyFrom(chunk, 5)).toBe(BLOCK_SIZE - 5);
    expect(assembler.copyFrom(chunk, BLOCK_SIZE)).toBe(0);
    const block = assembler.takeBlock();
    expect(block?.bytes.equals(NOISE.subarray(0, BLOCK_SIZE))).toBe(true);
    expect(assembler.copyFrom(chunk, BLOCK_SIZE)).toBe(0);
    block?.release();
    await assembler.ready();
    expect(assembler.copyFrom(chunk, BLOCK_SIZE)).toBe(10);
    assembler.discard();
    expect(pool.leasedCount).toBe(0);
  });

  it('gives a half-filled block back, and only once', async () => {
    const pool = new BlockPool({ maxBytes: BLOCK_SIZE });
    const assembler = new BlockAssembler(pool);
    for await (const lease of assembler.push(Buffer.of(1))) lease.release();
    expect(pool.leasedCount).toBe(1);
    assembler.discard();
    const other = pool.tryLease();
    assembler.discard();
    expect(pool.leasedCount).toBe(1);
    other?.release();
  });

  it('stops waiting when the signal aborts', async () => {
    const pool = new BlockPool({ maxBytes: BLOCK_SIZE });
    const held = pool.tryLease();
    const assembler = new BlockAssembler(pool);
    const controller = new AbortController();
    const next = assembler.push(Buffer.of(1), controller.signal).next();
    controller.abort();
    await expect(next).rejects.toMatchObject({ name: 'AbortError' });
    held?.release();
    expect(pool.leasedCount).toBe(0);
  });
});

function copyAndRelease(lease: Lease): Buffer {
  const copy = Buffer.from(lease.bytes);
  lease.release();
  return copy;
}
