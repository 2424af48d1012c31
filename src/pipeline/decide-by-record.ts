import type { BlockRecord } from '../manifest/record-run.ts';
import type { Block } from '../engine/engine.ts';
import type { Decision } from './upload-records.ts';

/** What holds for all blocks of an upload with a manifest. */
export interface RecordPolicy {
  /** Whether zero blocks are left out. */
  readonly omitsZeroBlocks: boolean;
  /**
   * What the snapshot has where there is no record. `unsent`: nothing was sent in an earlier run, or what was sent will be
   * sent again. `zero`: what its parent has, which reads as zeros. `unknown`: what its parent has.
   */
  readonly absent: 'unsent' | 'zero' | 'unknown';
  /**
   * Whether each block that an earlier run may have sent is decided about in this run as well. If not, every block needs a
   * record before it is sent: one that was acknowledged in the moment of a crash would be missing from the count.
   */
  readonly seesAllBlocks: boolean;
}

/**
 * Decides about a block by what a manifest says of it. A block that was sent and whose record was lost must never look
 * like one that was not: so where a missing record means more than "send it", the record is doubted first.
 */
export function decideByRecord(
  { state, digest }: BlockRecord,
  block: Block,
  { omitsZeroBlocks, absent, seesAllBlocks }: RecordPolicy,
): Decision {
  if (digest !== undefined && Buffer.compare(digest, block.digest) === 0) return 'keep';
  if (state !== 'absent') return 'resend';
  const isZero = block.kind !== 'data';
  if (isZero && absent === 'zero') return 'keep';
  if (isZero && omitsZeroBlocks) return 'omit';
  return absent === 'unsent' && seesAllBlocks && !omitsZeroBlocks ? 'send' : 'resend';
}
