import type { Indexed } from './join-by-index.ts';

/** A block that something is to be said of. */
export interface Judged<Verdict extends string> extends Indexed {
  readonly verdict: Verdict;
}

/** Neighbouring blocks of which the same is to be said. */
export interface Run<Verdict extends string> {
  readonly firstBlock: number;
  readonly blockCount: number;
  readonly verdict: Verdict;
}

/** Gathers neighbouring blocks of one verdict, each run told as soon as it has ended. */
export async function* mergeRuns<Verdict extends string>(
  blocks: AsyncIterable<Judged<Verdict>>,
): AsyncGenerator<Run<Verdict>, void, undefined> {
  let run: Run<Verdict> | undefined;
  for await (const { blockIndex, verdict } of blocks) {
    if (run?.verdict === verdict && blockIndex === run.firstBlock + run.blockCount) {
      run = { ...run, blockCount: run.blockCount + 1 };
      continue;
    }
    if (run !== undefined) yield run;
    run = { firstBlock: blockIndex, blockCount: 1, verdict };
  }
  if (run !== undefined) yield run;
}
