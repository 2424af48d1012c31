import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { BlockPool } from '../../../src/engine/block-pool.ts';
import { listBlocks } from '../../../src/pipeline/block-listing.ts';
import {
  ReadAhead,
  type ReadAheadOptions,
  type ReadStep,
} from '../../../src/pipeline/read-ahead.ts';
import { takenAhead } from '../../../src/pipeline/taken-ahead.ts';
import { settled } from '../../support/fake-clock.ts';
import {
  filledBlock,
  MemorySnapshot,
  refusal,
  type MemorySnapshotOptions,
} from '../../support/memory-snapshot.ts';

const BLOCK_COUNT = 16;
const INDICES = [1, 2, 5, 6, 7, 12];

describe('ReadAhead', () => {
  it('yields blocks and runs of absent ones from first to last', async () => {
    expect(await told(readsOf(snapshotOf({})))).toEqual([
      '0-0',
      'block 1',
      'block 2',
      '3-4',
      'block 5',
      'block 6',
      'block 7',
      '8-11',
      'block 12',
      '13-15',
    ]);
    const span = { first: 6, end: 12 };
    expect(await told(readsOf(snapshotOf({}), { span }))).toEqual(['block 6', 'block 7', '8-11']);
    expect(await told(readsOf(snapshotOf({}), { span: { first: 3, end: 5 } }))).toEqual(['3-4']);
    expect(await told(readsOf(snapshotOf({}), { span: { first: 3, end: 3 } }))).toEqual([]);
  });

  it('goes on over empty pages, and past page and block tokens that have expired', async () => {
    let refusals = 0;
    const snapshot = snapshotOf({
      pageSize: 2,
      hasEmptyPages: true,
      onList: ({ pageToken }) => {
        if (pageToken !== '5,1' || refusals > 0) return;
        refusals += 1;
        snapshot.generation += 1;
        throw refusal('INVALID_PAGE_TOKEN');
      },
    });
    expect(await told(readsOf(snapshot))).toContain('block 12');
    expect(refusals).toBe(1);
  });

  it('asks for as much as the budget holds, and for more when a step is done with', async () => {
    const snapshot = snapshotOf({});
    const reads = readsOf(snapshot, { maxInFlightBytes: 3 * BLOCK_SIZE });
    const steps = reads.steps();
    const taken: ReadStep[] = [];
    const taking = (async () => {
      for await (const step of steps) taken.push(step);
    })();
    await settled();
    // The absent block 0 counts as one.
    expect(snapshot.gets.map(({ blockIndex }) => blockIndex)).toEqual([1, 2]);
    taken[0]?.done();
    taken[0]?.done();
    await settled();
    expect(taken).toHaveLength(4);
    reads.setMaxInFlightBytes(6 * BLOCK_SIZE);
    await settled();
    expect(snapshot.gets.map(({ blockIndex }) => blockIndex)).toEqual([1, 2, 5, 6, 7]);
    reads.setMaxInFlightBytes(BLOCK_SIZE);
    for (const step of taken.slice(0, 6)) step.done();
    await settled();
    expect(taken).toHaveLength(7);
    await reads.stop(new Error('enough'));
    await expect(taking).rejects.toThrow('enough');
  });

  it('passes over what need not be read', async () => {
    const snapshot = snapshotOf({});
    const skips = (blockIndex: number): Promise<boolean> => Promise.resolve(blockIndex % 2 === 1);
    expect(
      (await told(readsOf(snapshot, { skips }))).filter((step) => step.startsWith('b')),
    ).toEqual(['block 2', 'block 6', 'block 12']);
    expect(snapshot.gets).toHaveLength(3);
  });

  it('lends memory of the pool, and gives it back with the step, or the failure', async () => {
    const snapshot = snapshotOf({
      onGet: ({ blockIndex }) => {
        if (blockIndex === 6) throw refusal('ACCESS_DENIED');
      },
    });
    const pool = new BlockPool({ maxBytes: 4 * BLOCK_SIZE });
    const reads = readsOf(snapshot, { pool, maxInFlightBytes: 4 * BLOCK_SIZE });
    await expect(told(reads)).rejects.toMatchObject({ reason: 'ACCESS_DENIED' });
    expect(pool.leasedCount).toBe(0);
  });

  it('stops everything with the first failure, and rejects all with it', async () => {
    const snapshot = snapshotOf({
      onGet: ({ blockIndex }) => {
        if (blockIndex === 5) throw refusal('FIRST');
        return new Promise<void>(() => undefined);
      },
    });
    const reads = readsOf(snapshot, { maxInFlightBytes: 8 * BLOCK_SIZE });
    const answers: Promise<unknown>[] = [];
    const taking = (async () => {
      for await (const step of reads.steps()) if (step.kind === 'block') answers.push(step.answer);
    })();
    await expect(taking).rejects.toMatchObject({ reason: 'FIRST' });
    for (const answer of answers) await expect(answer).rejects.toMatchObject({ reason: 'FIRST' });
    expect(reads.signal.reason).toMatchObject({ reason: 'FIRST' });
    await reads.stop(new Error('later'));
    expect(() => reads.throwIfFailed()).toThrow('FIRST');
    expect(snapshot.pending).toBe(0);
  });

  it.each([0, 1, 2, 4])(
    'has ended every request when it is stopped after step %i',
    async (after) => {
      const snapshot = snapshotOf({
        pageSize: 2,
        onGet: ({ blockIndex }) =>
          blockIndex > 5 ? new Promise<void>(() => undefined) : Promise.resolve(),
      });
      const reads = readsOf(snapshot, { maxInFlightBytes: 8 * BLOCK_SIZE });
      const steps = takenAhead(reads);
      for (let step = 0; step < after; step += 1) await steps.next();
      await steps.return();
      await reads.stop(new Error('enough'));
      const { gets, lists } = snapshot;
      const [getCount, listCount] = [gets.length, lists.length];
      await settled();
      expect(snapshot.pending).toBe(0);
      expect([gets.length, lists.length]).toEqual([getCount, listCount]);
    },
  );

  it('says when nothing is left to ask for, and not when it was stopped', async () => {
    let tails = 0;
    await told(readsOf(snapshotOf({}), { onTail: () => (tails += 1) }));
    expect(tails).toBe(1);
    const onGet = (): never => {
      throw refusal('ANY');
    };
    const failing = readsOf(snapshotOf({ onGet }), { onTail: () => (tails += 1) });
    await expect(told(failing)).rejects.toThrow();
    expect(tails).toBe(1);
  });
});

function snapshotOf(options: Partial<MemorySnapshotOptions>): MemorySnapshot {
  const blocks = new Map(INDICES.map((index) => [index, filledBlock(index)]));
  return new MemorySnapshot({ blockCount: BLOCK_COUNT, blocks, ...options });
}

function readsOf(snapshot: MemorySnapshot, options: Partial<ReadAheadOptions> = {}): ReadAhead {
  const { snapshotId } = snapshot;
  const span = options.span ?? { first: 0, end: BLOCK_COUNT };
  return new ReadAhead({
    transport: snapshot,
    snapshotId,
    span,
    list: async function* (signal) {
      const request = { snapshotId, startingBlockIndex: span.first };
      const firstPage = await snapshot.listSnapshotBlocks(request, { signal });
      yield* listBlocks({ transport: snapshot, snapshotId, firstPage, span, signal });
    },
    maxInFlightBytes: 4 * BLOCK_SIZE,
    onTail: () => undefined,
    ...options,
  });
}

/** Takes everything, checks each block against its index, and tells what came. */
async function told(reads: ReadAhead): Promise<string[]> {
  const steps: string[] = [];
  for await (const step of takenAhead(reads)) {
    if (step.kind === 'absent') steps.push(`${step.first}-${step.end - 1}`);
    else {
      const { data } = await step.answer;
      expect([data[0], data.at(-1)]).toEqual([step.blockIndex, step.blockIndex]);
      steps.push(`block ${step.blockIndex}`);
    }
    step.done();
  }
  return steps;
}
