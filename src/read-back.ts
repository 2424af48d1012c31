import { setMaxListeners } from 'node:events';
import { CompletionError } from './base/errors.ts';
import { compareBlocks, readDigests, type BlockDigest } from './pipeline/compare-blocks.ts';
import { mergeRuns, type Run } from './pipeline/merge-runs.ts';
import type { Transport } from './transport/transport.ts';

/** Runs of blocks that a message names. */
const NAMED_MAX = 3;

/** A snapshot that was just made, and what it should hold. */
export interface ReadBackOptions {
  readonly transport: Transport;
  readonly snapshotId: string;
  readonly expected: AsyncIterable<BlockDigest>;
  /** False where blocks that are not expected may be a parent's. */
  readonly leftOutIsZero: boolean;
  readonly aheadMax: () => number;
  readonly signal: AbortSignal;
  /** Told of each block that was read. */
  readonly onRead: () => void;
  /** Called when every block has been asked for. */
  readonly onTail: () => void;
}

/**
 * Reads a completed snapshot and compares every block with what was acknowledged for it.
 * @throws {CompletionError} ERR_EBS_DIFFERENT naming the first blocks that differ, and how many do.
 */
export async function readBack(options: ReadBackOptions): Promise<void> {
  const { transport, snapshotId, expected, leftOutIsZero, signal } = options;
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  const either = AbortSignal.any([signal, stopping.signal]);
  // Every request in flight listens to this one signal.
  setMaxListeners(0, either);
  const firstPage = await transport.listSnapshotBlocks({ snapshotId }, { signal: either });
  const actual = readDigests({ ...options, firstPage, signal: either, stop });
  const compared = compareBlocks(
    { expected, actual, leftOutIsZero },
    { stop, onBlock: () => undefined },
  );
  let differingBlocks = 0;
  const named: Run<string>[] = [];
  for await (const run of mergeRuns(compared)) {
    differingBlocks += run.blockCount;
    if (named.length < NAMED_MAX) named.push(run);
  }
  if (differingBlocks === 0) return;
  const message =
    `${snapshotId} does not read back as it was sent: ${differingBlocks} ` +
    `${differingBlocks === 1 ? 'block differs' : 'blocks differ'}, ${named.map(textOf).join(', ')}`;
  const blockIndex = named[0]?.firstBlock;
  throw new CompletionError('ERR_EBS_DIFFERENT', message, { snapshotId, blockIndex });
}

function textOf({ firstBlock, blockCount, verdict }: Run<string>): string {
  const last = firstBlock + blockCount - 1;
  return `${last === firstBlock ? `${last}` : `${firstBlock} to ${last}`} (${verdict})`;
}
