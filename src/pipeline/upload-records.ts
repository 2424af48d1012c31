import type { Block } from '../engine/engine.ts';
import type { BlockDigest } from './compare-blocks.ts';

/**
 * What is to be done with a block that was read. `send`: the service knows nothing of it. `resend`: there is, or may be,
 * something else in its place, so that a record of it has to be doubted before it is sent. `keep`: the snapshot has it
 * already, from an earlier run or from its parent. `omit`: it is zero, and left out.
 */
export type Decision = 'send' | 'resend' | 'keep' | 'omit';

/** What CompleteSnapshot has to be told. */
export interface RecordedBlocks {
  /** Distinct blocks acknowledged in this snapshot. */
  readonly changedBlocksCount: number;
  /** SHA-256 over their binary digests in ascending index order (LINEAR), 32 bytes. */
  readonly aggregateDigest: Uint8Array;
}

/**
 * What an upload knows of the blocks that the service has: in memory, or in a manifest that outlives it. Count and
 * aggregate come from here and from nowhere else, so that neither retries nor restarts can distort them.
 */
export interface UploadRecords {
  /** Decides about a block, of whose index no request may be under way. */
  decide(block: Block): Decision | Promise<Decision>;
  /** Resolves when no record says any more what the service has of the block. */
  doubt(blockIndex: number): Promise<void>;
  /** Records that the service acknowledged a block; a later digest for the same index takes the place of the first. */
  record(blockIndex: number, digest: Uint8Array): void;
  /** Undefined as long as more may be recorded; otherwise resolves when there is room again. */
  whenReady(): Promise<void> | undefined;
  /** Counts and hashes what was acknowledged. No request may be under way. */
  summary(): Promise<RecordedBlocks>;
  /** What the snapshot should hold by these records, ascending. No request may be under way. */
  digests(): AsyncIterable<BlockDigest>;
}
