import { expect, it } from 'vitest';
import { joinByIndex, type Indexed } from '../../../src/pipeline/join-by-index.ts';
import { mergeRuns, type Judged } from '../../../src/pipeline/merge-runs.ts';

async function* blocks(...indices: number[]): AsyncGenerator<Indexed> {
  for (const blockIndex of indices) {
    await Promise.resolve();
    yield { blockIndex };
  }
}

it('pairs two ascending sequences, whichever ends first', async () => {
  const seen: string[] = [];
  const sides = { first: blocks(0, 2, 3, 9), second: blocks(1, 2, 4, 9, 10, 11) };
  const joined = joinByIndex(sides, () => expect.unreachable('both come to their end'));
  for await (const { blockIndex, first, second } of joined) {
    seen.push(`${first === undefined ? '' : '<'}${blockIndex}${second === undefined ? '' : '>'}`);
  }
  expect(seen).toEqual(['<0', '1>', '<2>', '<3', '4>', '<9>', '10>', '11>']);
});

it('ends the side that waits when the other has failed', async () => {
  let release = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (release = resolve));
  async function* endless(): AsyncGenerator<Indexed> {
    await waiting;
    yield { blockIndex: 0 };
  }
  async function* broken(): AsyncGenerator<Indexed> {
    yield await Promise.reject<Indexed>(new Error('broken'));
  }
  const joined = joinByIndex({ first: endless(), second: broken() }, () => release());
  await expect(joined.next()).rejects.toThrow('broken');
});

it('gathers neighbours of one verdict', async () => {
  async function* judged(): AsyncGenerator<Judged<'a' | 'b'>> {
    for (const [blockIndex, verdict] of [
      [3, 'a'],
      [4, 'a'],
      [5, 'b'],
      [7, 'b'],
      [8, 'b'],
    ] as const) {
      await Promise.resolve();
      yield { blockIndex, verdict };
    }
  }
  const runs: unknown[] = [];
  for await (const run of mergeRuns(judged())) runs.push(Object.values(run));
  expect(runs).toEqual([
    [3, 2, 'a'],
    [5, 1, 'b'],
    [7, 2, 'b'],
  ]);
});
