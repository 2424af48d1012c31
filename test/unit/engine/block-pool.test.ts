import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { BlockPool, type Lease } from '../../../src/engine/block-pool.ts';
import { holdSlot } from '../../../src/engine/slot-memory.ts';

describe('BlockPool', () => {
  it.each([
    [1, 1],
    [BLOCK_SIZE - 1, 1],
    [BLOCK_SIZE, 1],
    [2 * BLOCK_SIZE - 1, 1],
    [7 * BLOCK_SIZE, 7],
  ])('makes of %i bytes %i slots', (maxBytes, slotCount) => {
    expect(new BlockPool({ maxBytes }).slotCount).toBe(slotCount);
  });

  it.each([0, -1, Number.NaN, Infinity])('refuses %d bytes', (maxBytes) => {
    expect(() => new BlockPool({ maxBytes })).toThrow(RangeError);
  });

  it('leases each slot once, with a block of its own', () => {
    const pool = new BlockPool({ maxBytes: 4 * BLOCK_SIZE });
    const leases = takeAll(pool);
    expect(leases.map(({ slot }) => slot).sort()).toEqual([0, 1, 2, 3]);
    expect(leases.map(({ bytes }) => bytes.length)).toEqual(Array(4).fill(BLOCK_SIZE));
    for (const [i, { bytes }] of leases.entries()) bytes.fill(i + 1);
    expect(leases.map(({ bytes }) => [bytes[0], bytes[BLOCK_SIZE - 1]])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ]);
    expect(pool.leasedCount).toBe(4);
    expect(pool.tryLease()).toBeUndefined();
  });

  it('lives in memory that cannot be detached', () => {
    const lease = new BlockPool({ maxBytes: 1 }).tryLease();
    expect(lease?.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('begins slots where it is told, also those added later', () => {
    const pool = new BlockPool({ maxBytes: 2 * BLOCK_SIZE, align: () => 64 });
    const offsets = (): (number | undefined)[] =>
      takeAll(pool).map(({ bytes }) => bytes.byteOffset);
    expect(offsets()).toEqual([64, 64 + BLOCK_SIZE]);
    pool.resize(3 * BLOCK_SIZE);
    expect(offsets()).toEqual([64]);
  });

  it('serves waiters in the order in which they came, and nobody before them', async () => {
    const pool = new BlockPool({ maxBytes: 2 * BLOCK_SIZE });
    const [first, second] = takeAll(pool);
    const served: string[] = [];
    const early = pool.lease().then((lease) => (served.push('early'), lease));
    const late = pool.lease().then((lease) => (served.push('late'), lease));
    first?.release();
    expect(pool.tryLease()).toBeUndefined();
    second?.release();
    expect((await early).slot).toBe(first?.slot);
    expect((await late).slot).toBe(second?.slot);
    expect(served).toEqual(['early', 'late']);
    expect(pool.leasedCount).toBe(2);
  });

  it('serves those who wait as soon as its bound rises', async () => {
    const pool = new BlockPool({ maxBytes: BLOCK_SIZE });
    const first = leaseOf(pool);
    const waiting = [pool.lease(), pool.lease(), pool.lease()];
    pool.resize(3 * BLOCK_SIZE);
    const served = await Promise.all(waiting.slice(0, 2));
    expect(pool.leasedCount).toBe(3);
    expect(pool.tryLease()).toBeUndefined();
    for (const [i, { bytes }] of [first, ...served].entries()) bytes.fill(i + 1);
    expect([first, ...served].map(({ bytes }) => [bytes[0], bytes[BLOCK_SIZE - 1]])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    // The third still waits, for memory that was added as for any other.
    const letGo = holdSlot(served[1]?.bytes ?? first.bytes);
    served[1]?.release();
    expect(pool.leasedCount).toBe(3);
    letGo();
    expect((await waiting[2])?.slot).toBe(served[1]?.slot);
  });

  it('leases nothing under a lowered bound until enough slots are home', () => {
    const pool = new BlockPool({ maxBytes: 4 * BLOCK_SIZE });
    const leases = takeAll(pool);
    pool.resize(2 * BLOCK_SIZE);
    expect([pool.slotCount, pool.leasedCount]).toEqual([2, 4]);
    leases[0]?.release();
    leases[1]?.release();
    expect(pool.tryLease()).toBeUndefined();
    leases[2]?.release();
    expect(leaseOf(pool).slot).toBe(leases[2]?.slot);
    expect(pool.tryLease()).toBeUndefined();
    pool.resize(3 * BLOCK_SIZE);
    expect(takeAll(pool)).toHaveLength(1);
    expect(() => pool.resize(0)).toThrow(RangeError);
  });

  it('takes a second release for nothing, even when the slot has a new owner', () => {
    const pool = new BlockPool({ maxBytes: 1 });
    const first = pool.tryLease();
    first?.release();
    const second = pool.tryLease();
    first?.release();
    expect(pool.leasedCount).toBe(1);
    expect(pool.tryLease()).toBeUndefined();
    second?.release();
    expect(pool.leasedCount).toBe(0);
  });

  it('rejects a wait that is aborted, before and while it waits', async () => {
    const pool = new BlockPool({ maxBytes: 1 });
    const lease = pool.tryLease();
    const reason = new Error('enough');
    const aborted = { name: 'AbortError', code: 'ABORT_ERR', cause: reason };
    await expect(pool.lease(AbortSignal.abort(reason))).rejects.toMatchObject(aborted);
    const controller = new AbortController();
    const waiting = pool.lease(controller.signal);
    const patient = pool.lease();
    controller.abort(reason);
    await expect(waiting).rejects.toMatchObject(aborted);
    lease?.release();
    expect((await patient).slot).toBe(lease?.slot);
  });

  it('forgets the signal of a wait that was served', async () => {
    const pool = new BlockPool({ maxBytes: 1 });
    const lease = pool.tryLease();
    const controller = new AbortController();
    const waiting = pool.lease(controller.signal);
    lease?.release();
    const served = await waiting;
    controller.abort();
    expect(pool.leasedCount).toBe(1);
    served.release();
    expect(pool.leasedCount).toBe(0);
  });
});

describe('holdSlot', () => {
  it('keeps a released slot from being leased until it is let go', () => {
    const pool = new BlockPool({ maxBytes: 1 });
    const lease = leaseOf(pool);
    const letGo = holdSlot(lease.bytes.subarray(100, 200));
    lease.release();
    expect(pool.tryLease()).toBeUndefined();
    expect(pool.leasedCount).toBe(1);
    letGo();
    letGo();
    expect(pool.leasedCount).toBe(0);
    expect(pool.tryLease()?.slot).toBe(lease.slot);
  });

  it('tells the slots of one pool apart', () => {
    const pool = new BlockPool({ maxBytes: 3 * BLOCK_SIZE });
    const [first, second, third] = takeAll(pool) as [Lease, Lease, Lease];
    const letGo = holdSlot(second.bytes);
    for (const lease of [first, second, third]) lease.release();
    expect(pool.leasedCount).toBe(1);
    const free = takeAll(pool).map(({ slot }) => slot);
    expect(free.sort()).toEqual([first.slot, third.slot].sort());
    letGo();
    expect(pool.tryLease()?.slot).toBe(second.slot);
  });

  it('refuses bytes that were released before', () => {
    const pool = new BlockPool({ maxBytes: 1 });
    const lease = leaseOf(pool);
    lease.release();
    expect(() => holdSlot(lease.bytes)).toThrow('released before it was used');
  });

  it('has nothing to do for memory outside the pools', () => {
    expect(() => holdSlot(Buffer.alloc(10))()).not.toThrow();
  });
});

function leaseOf(pool: BlockPool): Lease {
  const lease = pool.tryLease();
  if (lease === undefined) throw new Error('No slot is free');
  return lease;
}

function takeAll(pool: BlockPool): Lease[] {
  const leases: Lease[] = [];
  for (let lease = pool.tryLease(); lease !== undefined; lease = pool.tryLease()) {
    leases.push(lease);
  }
  return leases;
}
