import { describe, expect, it, onTestFinished } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { DownloadPipeline } from '../../../src/pipeline/download-pipeline.ts';
import type { RestoreRecords } from '../../../src/pipeline/restore-records.ts';
import { settled } from '../../support/fake-clock.ts';
import {
  filledBlock,
  MemorySnapshot,
  refusal,
  type MemorySnapshotOptions,
} from '../../support/memory-snapshot.ts';
import { MemoryTarget } from '../../support/memory-target.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const BLOCKS = 40;

describe('DownloadPipeline', () => {
  it.each([
    { isInOrder: false, isZero: false },
    { isInOrder: false, isZero: true },
    { isInOrder: true, isZero: false },
  ])('restores any mixture to a target with %o', async (kind) => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const random = seededRandom(seed);
      const snapshot = new MemorySnapshot({
        blockCount: BLOCKS,
        blocks: mixture(random),
        pageSize: 1 + Math.floor(random() * 9),
        hasEmptyPages: random() < 0.5,
        onGet: () => (random() < 0.5 ? settled() : undefined),
      });
      const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE, ...kind });
      const { pipeline } = await start(snapshot, target, {
        maxBlocks: 1 + Math.floor(random() * 9),
      });
      await pipeline.run();

      expect(target.bytes.equals(snapshot.volume), `seed ${seed}`).toBe(true);
      expect(pipeline.counts.blocksRead + pipeline.counts.absentBlocks).toBe(BLOCKS);
      expect(snapshot.pending + target.pending).toBe(0);
    }
  });

  it('leaves out absent and zero blocks on a target that is zero', async () => {
    const blocks = new Map([
      [3, filledBlock(0)],
      [5, filledBlock(5)],
    ]);
    const snapshot = new MemorySnapshot({ blockCount: BLOCKS, blocks });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE, isZero: true });
    const { pipeline } = await start(snapshot, target);
    await pipeline.run();

    expect(target.writes).toEqual([5 * BLOCK_SIZE]);
    expect(target.cleared).toEqual([]);
    expect(pipeline.counts).toMatchObject({
      blocksRead: 2,
      zeroBlocks: 1,
      absentBlocks: BLOCKS - 2,
    });
  });

  it('clears zero blocks rather than write them, and passes over what the target has', async () => {
    const blocks = new Map([
      [3, filledBlock(0)],
      [5, filledBlock(5)],
      [6, filledBlock(6)],
    ]);
    const snapshot = new MemorySnapshot({ blockCount: 8, blocks });
    const target = new MemoryTarget({ sizeBytes: 8 * BLOCK_SIZE });
    const written: number[] = [];
    const records = {
      isThere: (blockIndex: number) => Promise.resolve(blockIndex === 6),
      written: (blockIndex: number) => void written.push(blockIndex),
    };
    target.bytes.fill(6, 6 * BLOCK_SIZE, 7 * BLOCK_SIZE);
    const { pipeline } = await start(snapshot, target, { records });
    await pipeline.run();

    expect(target.bytes.equals(snapshot.volume)).toBe(true);
    expect(target.writes).toEqual([5 * BLOCK_SIZE]);
    expect(written.sort()).toEqual([3, 5]);
    expect(snapshot.gets.map(({ blockIndex }) => blockIndex)).toEqual([3, 5]);
    expect(pipeline.counts).toMatchObject({ blocksRead: 2, unchangedBlocks: 1, absentBlocks: 5 });
  });

  it('clears what is absent, before, between and after the blocks, in bounded steps', async () => {
    const blocks = new Map([
      [2, filledBlock(2)],
      [4, filledBlock(4)],
    ]);
    const snapshot = new MemorySnapshot({ blockCount: BLOCKS, blocks });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE });
    const { pipeline } = await start(snapshot, target);
    await pipeline.run();

    const inBlocks = target.cleared
      .map(({ offset, length }) => [offset / BLOCK_SIZE, length / BLOCK_SIZE] as const)
      .sort(([a], [b]) => a - b);
    expect(inBlocks).toEqual([[0, 2], [3, 1], [5, 16], [21, 16], [37, 3]]); // prettier-ignore
  });

  it('never holds more blocks than the budget, and uses all of it', async () => {
    const gates = deferredGets();
    const snapshot = new MemorySnapshot({
      blockCount: BLOCKS,
      blocks: fullVolume(),
      onGet: gates.onGet,
    });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE, isInOrder: true });
    const { pipeline } = await start(snapshot, target, { maxBlocks: 4 });
    const run = pipeline.run();
    await settled();
    expect(snapshot.gets.map(({ blockIndex }) => blockIndex)).toEqual([0, 1, 2, 3]);

    // Blocks 1 to 3 arrive but wait for block 0: their buffers are still held, so nothing more is asked for.
    for (const index of [3, 2, 1]) gates.answer(index);
    await settled();
    expect(snapshot.gets).toHaveLength(4);
    expect(target.writes).toEqual([]);

    gates.answerAll();
    await run;
    expect(snapshot.getsPendingMax).toBe(4);
    expect(target.writes).toEqual([...target.writes].sort((a, b) => a - b));
    expect(target.bytes.equals(snapshot.volume)).toBe(true);
  });

  it('writes blocks as they arrive where any order will do', async () => {
    const gates = deferredGets();
    const snapshot = new MemorySnapshot({
      blockCount: 4,
      blocks: fullVolume(4),
      onGet: gates.onGet,
    });
    const target = new MemoryTarget({ sizeBytes: 4 * BLOCK_SIZE });
    const { pipeline } = await start(snapshot, target);
    const run = pipeline.run();
    await settled();
    for (const index of [2, 0, 3, 1]) {
      gates.answer(index);
      await settled();
    }
    await run;
    expect(target.writes.map((offset) => offset / BLOCK_SIZE)).toEqual([2, 0, 3, 1]);
  });

  it('lists again for expired block tokens: one listing for the page, not one a block', async () => {
    const snapshot = new MemorySnapshot({ blockCount: BLOCKS, blocks: fullVolume() });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE });
    const { pipeline } = await start(snapshot, target);
    snapshot.generation = 1;
    await pipeline.run();

    expect(target.bytes.equals(snapshot.volume)).toBe(true);
    const { snapshotId } = snapshot;
    expect(snapshot.lists).toEqual([{ snapshotId }, { snapshotId, startingBlockIndex: 0 }]);
  });

  it('gives up on a block whose new token is refused too', async () => {
    const snapshot = new MemorySnapshot({
      blockCount: BLOCKS,
      blocks: fullVolume(),
      onGet: ({ blockIndex }) => {
        if (blockIndex === 7) throw refusal('INVALID_BLOCK_TOKEN');
      },
    });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE });
    const { pipeline } = await start(snapshot, target);
    await expect(pipeline.run()).rejects.toMatchObject({ reason: 'INVALID_BLOCK_TOKEN' });
    expect(snapshot.gets.filter(({ blockIndex }) => blockIndex === 7)).toHaveLength(2);
  });

  it('stops at the first failure, and ends every request and write before it rejects', async () => {
    const failure = refusal('ACCESS_DENIED');
    const gates = deferredGets();
    const snapshot = new MemorySnapshot({
      blockCount: BLOCKS,
      blocks: fullVolume(),
      pageSize: 10,
      onList: ({ pageToken }) => (pageToken === undefined ? undefined : forever()),
      onGet: (request) => {
        if (request.blockIndex === 3) throw failure;
        return gates.onGet(request, {});
      },
    });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE });
    const { pipeline } = await start(snapshot, target);
    await expect(pipeline.run()).rejects.toBe(failure);
    expect(snapshot.pending + target.pending).toBe(0);
    expect(target.writes).toEqual([]);
  });

  it('waits for the writes under way before it rejects', async () => {
    const snapshot = new MemorySnapshot({ blockCount: 4, blocks: fullVolume(4) });
    const target = new MemoryTarget({ sizeBytes: 4 * BLOCK_SIZE });
    const full = new Error('the disk is full');
    let letWriteEnd = (): void => undefined;
    target.onWrite = (offset) => {
      if (offset > 0) throw full;
      return new Promise((resolve) => (letWriteEnd = resolve));
    };
    const { pipeline } = await start(snapshot, target, { maxBlocks: 3 });
    let hasEnded = false;
    const run = pipeline.run().finally(() => (hasEnded = true));
    const rejection = expect(run).rejects.toBe(full);
    await settled();
    expect(target.pending).toBe(1);
    expect(hasEnded).toBe(false);
    letWriteEnd();
    await rejection;
    expect(target.pending).toBe(0);
  });

  it('drops its requests when the signal aborts, and names the reason', async () => {
    const snapshot = new MemorySnapshot({
      blockCount: BLOCKS,
      blocks: fullVolume(),
      onGet: forever,
    });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE });
    const stop = new AbortController();
    const { pipeline } = await start(snapshot, target, { signal: stop.signal });
    const run = pipeline.run();
    const rejection = expect(run).rejects.toMatchObject({ code: 'ABORT_ERR', cause: 'enough' });
    await settled();
    expect(snapshot.pending).toBe(BLOCKS);
    stop.abort('enough');
    await rejection;
    expect(snapshot.pending).toBe(0);
  });

  it('asks for nothing when the signal has aborted before', async () => {
    const snapshot = new MemorySnapshot({ blockCount: BLOCKS, blocks: fullVolume() });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE });
    const { pipeline } = await start(snapshot, target, { signal: AbortSignal.abort() });
    await expect(pipeline.run()).rejects.toMatchObject({ code: 'ABORT_ERR' });
    expect(snapshot.gets).toEqual([]);
  });

  it('does not let Node suspect a leak when many requests share its signal', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    onTestFinished(() => void process.removeListener('warning', note));
    const snapshot = new MemorySnapshot({
      blockCount: BLOCKS,
      blocks: fullVolume(),
      onGet: settled,
    });
    const target = new MemoryTarget({ sizeBytes: BLOCKS * BLOCK_SIZE });
    await (await start(snapshot, target)).pipeline.run();
    await settled();
    expect(warnings).toEqual([]);
  });

  it('rejects with what a listener throws', async () => {
    const snapshot = new MemorySnapshot({ blockCount: 4, blocks: fullVolume(4) });
    const target = new MemoryTarget({ sizeBytes: 4 * BLOCK_SIZE });
    const bug = new Error('a bug in a listener');
    const { pipeline } = await start(snapshot, target, {
      onChange: () => {
        throw bug;
      },
    });
    await expect(pipeline.run()).rejects.toBe(bug);
  });
});

async function start(
  snapshot: MemorySnapshot,
  target: MemoryTarget,
  options: {
    maxBlocks?: number;
    signal?: AbortSignal;
    onChange?: () => void;
    records?: RestoreRecords;
  } = {},
): Promise<{ pipeline: DownloadPipeline }> {
  const { snapshotId } = snapshot;
  const pipeline = new DownloadPipeline({
    transport: snapshot,
    target,
    records: options.records,
    snapshotId,
    firstPage: await snapshot.listSnapshotBlocks({ snapshotId }),
    maxInFlightBytes: (options.maxBlocks ?? 2 * BLOCKS) * BLOCK_SIZE,
    signal: options.signal,
    onChange: options.onChange ?? (() => undefined),
    onTail: () => undefined,
  });
  return { pipeline };
}

/** About a third each of data, zero and absent blocks. */
function mixture(random: () => number): Map<number, Uint8Array> {
  const blocks = new Map<number, Uint8Array>();
  for (let index = 0; index < BLOCKS; index += 1) {
    const kind = Math.floor(random() * 3);
    if (kind > 0) blocks.set(index, filledBlock(kind === 1 ? 0 : 1 + index));
  }
  return blocks;
}

function fullVolume(blockCount = BLOCKS): Map<number, Uint8Array> {
  return new Map(Array.from({ length: blockCount }, (_, index) => [index, filledBlock(1 + index)]));
}

function forever(): Promise<void> {
  return new Promise(() => undefined);
}

/** Holds every GET back until the test lets it through. */
function deferredGets(): {
  onGet: NonNullable<MemorySnapshotOptions['onGet']>;
  answer: (index: number) => void;
  answerAll: () => void;
} {
  const waiting = new Map<number, () => void>();
  let isOpen = false;
  return {
    onGet: ({ blockIndex }) => {
      if (isOpen) return;
      return new Promise((resolve) => waiting.set(blockIndex, resolve));
    },
    answer: (index) => waiting.get(index)?.(),
    answerAll: () => {
      isOpen = true;
      for (const resolve of waiting.values()) resolve();
    },
  };
}
