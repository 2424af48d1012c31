import { DIGEST_SIZE } from '../base/constants.ts';
import {
  INHERITED,
  RECORD_STATES,
  WRITTEN,
  type DigestPage,
  type RecordState,
} from './digest-page.ts';

/** The record of one block. */
export interface BlockRecord {
  readonly blockIndex: number;
  readonly state: RecordState;
  /** 32 bytes; where the state is `inherited` or `written`. */
  readonly digest?: Buffer;
}

/** Which records of a page go where in a run. */
export interface Rows {
  readonly position: number;
  readonly firstRow: number;
  readonly count: number;
}

/** Records of neighbouring blocks. */
export class RecordRun {
  readonly firstBlock: number;
  /** One byte a block: the position of its state in RECORD_STATES. */
  readonly states: Uint8Array;
  /** 32 bytes a block; they mean something where the state is `inherited` or `written`. */
  readonly digests: Buffer;

  constructor(firstBlock: number, blockCount: number) {
    this.firstBlock = firstBlock;
    this.states = new Uint8Array(blockCount);
    this.digests = Buffer.alloc(blockCount * DIGEST_SIZE);
  }

  get blockCount(): number {
    return this.states.length;
  }

  /** Copies `count` records of a page, from `firstRow` on, to `position`, counted from the first block of the run. */
  setFrom(page: DigestPage, { position, firstRow, count }: Rows): void {
    for (let at = 0; at < count; at += 1) this.states[position + at] = page.stateAt(firstRow + at);
    const [start, end] = [firstRow * DIGEST_SIZE, (firstRow + count) * DIGEST_SIZE];
    page.digests.copy(this.digests, position * DIGEST_SIZE, start, end);
  }

  /** The record at `position`; its digest is a view. */
  at(position: number): BlockRecord {
    const code = this.states[position] ?? 0;
    const blockIndex = this.firstBlock + position;
    const state = RECORD_STATES[code] ?? 'absent';
    if (code !== WRITTEN && code !== INHERITED) return { blockIndex, state };
    const at = position * DIGEST_SIZE;
    return { blockIndex, state, digest: this.digests.subarray(at, at + DIGEST_SIZE) };
  }

  /** Whether the block at `position` is known, from this snapshot or its base, to have this digest. */
  hasDigest(position: number, digest: Uint8Array): boolean {
    const code = this.states[position];
    if (code !== WRITTEN && code !== INHERITED) return false;
    const at = position * DIGEST_SIZE;
    return this.digests.compare(digest, 0, DIGEST_SIZE, at, at + DIGEST_SIZE) === 0;
  }

  /** The records, one by one. */
  *[Symbol.iterator](): Generator<BlockRecord, void, undefined> {
    for (let position = 0; position < this.blockCount; position += 1) yield this.at(position);
  }
}
