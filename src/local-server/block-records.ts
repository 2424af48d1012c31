import type { ClassicLevel } from 'classic-level';
import type { Slot } from './volume-files.ts';
import { ZERO_BLOCK_SHA256_HEX } from './wire-table.ts';

/** The embedded store: text keys, binary values. */
export type Metadata = ClassicLevel<string, Buffer>;

/** What is known of one block that was put to one snapshot. */
export interface BlockRecord {
  /** Which copy of the volume holds the bytes; null for a block of zeros, which is not written at all. */
  readonly slot: Slot | null;
  /** SHA-256, 32 bytes. */
  readonly digest: Buffer;
}

/** A block as some snapshot sees it: where the bytes come from. */
export interface OwnedBlock {
  readonly blockIndex: number;
  /** The snapshot, the asked one or an ancestor, to which the block was put. */
  readonly ownerId: string;
}

const BATCH_SIZE = 1024;
const NO_SLOT = 2;
/** SHA-256 of a block of zeros. */
export const ZERO_DIGEST: Buffer = Buffer.from(ZERO_BLOCK_SHA256_HEX, 'hex');

/**
 * The key of a block: `b`, the 17 digits of the snapshot id, the index as 8 hex digits, so that LevelDB's order is the
 * order of a listing. The value: byte 0 the slot (0, 1, or 2 for zeros), bytes 1-32 the digest.
 */
export function blockKey(snapshotId: string, blockIndex: number): string {
  return `b${snapshotId.slice(5)}${blockIndex.toString(16).padStart(8, '0')}`;
}

/** Every block key of a snapshot from `startingIndex` on. */
export function blockRange(snapshotId: string, startingIndex = 0): { gte: string; lt: string } {
  return { gte: blockKey(snapshotId, startingIndex), lt: `b${snapshotId.slice(5)}g` };
}

/** Writes the value of a block key. */
export function encodeBlock(record: BlockRecord): Buffer {
  const value = Buffer.allocUnsafe(33);
  value[0] = record.slot ?? NO_SLOT;
  value.set(record.digest, 1);
  return value;
}

/** Reads the value of a block key. */
export function decodeBlock(value: Buffer): BlockRecord {
  const slot = value[0] === 0 || value[0] === 1 ? value[0] : null;
  return { slot, digest: value.subarray(1, 33) };
}

/** Returns the index that a block key ends in. */
export function indexOfKey(key: string): number {
  return Number.parseInt(key.slice(-8), 16);
}

/** The highest block of a snapshot that has bytes, among the last `limit` that were put; undefined when there is none. */
export async function lastBlockWithBytes(
  metadata: Metadata,
  snapshotId: string,
  limit: number,
): Promise<{ blockIndex: number; slot: Slot } | undefined> {
  const entries = metadata.iterator({ ...blockRange(snapshotId), reverse: true, limit });
  for await (const [key, value] of entries) {
    const { slot } = decodeBlock(value);
    if (slot !== null) return { blockIndex: indexOfKey(key), slot };
  }
  return undefined;
}

/**
 * Walks the blocks that a snapshot has itself or inherits, ascending, each with its owner. Memory is a batch of keys
 * for each snapshot of the chain, whatever the volume.
 * @param chain - the snapshot, its parent, and so on.
 */
export async function* walkBlocks(
  metadata: Metadata,
  chain: readonly string[],
  startingIndex: number,
): AsyncGenerator<OwnedBlock> {
  const cursors = chain.map((ownerId) => new KeyCursor(metadata, ownerId, startingIndex));
  try {
    await Promise.all(cursors.map((cursor) => cursor.advance()));
    for (;;) {
      let nearest: KeyCursor | undefined;
      for (const cursor of cursors) {
        if (cursor.index < (nearest?.index ?? Infinity)) nearest = cursor;
      }
      if (nearest === undefined) return;
      const blockIndex = nearest.index;
      yield { blockIndex, ownerId: nearest.ownerId };
      for (const cursor of cursors) {
        if (cursor.index !== blockIndex) continue;
        if (!cursor.step()) await cursor.advance();
      }
    }
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.close()));
  }
}

/** The block indices of one snapshot, ascending; `index` is Infinity behind the last one. */
class KeyCursor {
  readonly ownerId: string;
  index = Infinity;
  readonly #keys;
  #batch: string[] = [];
  #position = 0;

  constructor(metadata: Metadata, ownerId: string, startingIndex: number) {
    this.ownerId = ownerId;
    this.#keys = metadata.keys(blockRange(ownerId, startingIndex));
  }

  /** Moves on within the batch; false when it is used up. */
  step(): boolean {
    const key = this.#batch[this.#position];
    if (key === undefined) return false;
    this.#position += 1;
    this.index = indexOfKey(key);
    return true;
  }

  /** Moves on, fetching the next batch. */
  async advance(): Promise<void> {
    this.#batch = await this.#keys.nextv(BATCH_SIZE);
    this.#position = 0;
    if (!this.step()) this.index = Infinity;
  }

  close(): Promise<void> {
    return this.#keys.close();
  }
}
