import { DIGEST_SIZE } from '../base/constants.ts';
import { crc32c } from './crc32c.ts';
import { MANIFEST_ID_SIZE, PAGE_RECORDS, PAGE_SIZE } from './layout.ts';

/**
 * What a record says of its block.
 *
 * - `absent`: nothing was written in this snapshot, and nothing is known from the base.
 * - `inherited`: the digest is the base's, or was read from the service. The block was not written in this snapshot.
 * - `written`: the service acknowledged the block of this digest in this snapshot.
 * - `doubtful`: the block may have been written in this snapshot, nobody knows with what. It must be sent, whatever the
 *   source holds. So it is from the moment before a block is sent again until it is acknowledged, and after damage.
 */
export const RECORD_STATES = ['absent', 'inherited', 'written', 'doubtful'] as const;

/** One of {@link RECORD_STATES}. */
export type RecordState = (typeof RECORD_STATES)[number];

/** The states as they are in the page: positions in {@link RECORD_STATES}. */
export const ABSENT = 0;
export const INHERITED = 1;
export const WRITTEN = 2;
export const DOUBTFUL = 3;

/** Which page of which manifest: a page that was meant to be elsewhere is not believed. */
export interface PagePlace {
  /** 16 bytes. */
  readonly manifestId: Uint8Array;
  readonly pageNumber: number;
}

const PAGE_NUMBER_AT = 4;
const MANIFEST_ID_AT = 8;
const STATES_AT = 32;
const STATES_SIZE = 32;
const DIGESTS_AT = 64;

/** Four states of `written` in one byte. */
const FOUR_WRITTEN = 0b10_10_10_10;

/**
 * One digest page, over the bytes that are in the file:
 *
 * | offset | size | holds |
 * | --- | --- | --- |
 * | 0 | 4 | CRC32C of bytes 4 to 4095 |
 * | 4 | 4 | page number |
 * | 8 | 16 | the manifest's id |
 * | 24 | 8 | zero |
 * | 32 | 32 | states, 2 bits a record, the lowest bits first; the last 4 bits zero |
 * | 64 | 4032 | digests, 32 bytes a record; zero where the state has none |
 *
 * A page of zeros was never written: all its records are absent.
 */
export class DigestPage {
  readonly bytes: Buffer;

  /** @param bytes - 4096 of them, not copied. */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** A page of absent records. */
  static empty(): DigestPage {
    // Of its own memory, never Node's shared pool: the CRC wants it aligned.
    return new DigestPage(Buffer.from(new ArrayBuffer(PAGE_SIZE)));
  }

  /** The state of a record, as a number; `row` is 0 to 125. */
  stateAt(row: number): number {
    return ((this.bytes[STATES_AT + (row >>> 2)] ?? 0) >>> ((row & 3) * 2)) & 3;
  }

  /** A view of a record's 32 bytes; they mean something where the state has a digest. */
  digestAt(row: number): Buffer {
    const at = DIGESTS_AT + row * DIGEST_SIZE;
    return this.bytes.subarray(at, at + DIGEST_SIZE);
  }

  /** Sets a record; its digest is cleared where `digest` is left out. */
  set(row: number, state: number, digest?: Uint8Array): void {
    const at = STATES_AT + (row >>> 2);
    const shift = (row & 3) * 2;
    this.bytes[at] = ((this.bytes[at] ?? 0) & ~(3 << shift)) | (state << shift);
    const digestAt = DIGESTS_AT + row * DIGEST_SIZE;
    if (digest === undefined) this.bytes.fill(0, digestAt, digestAt + DIGEST_SIZE);
    else this.bytes.set(digest, digestAt);
  }

  /** Makes the records from `firstRow` to before `endRow` doubtful and all others absent, as of a page that was lost. */
  setDoubtful({ firstRow, endRow }: { readonly firstRow: number; readonly endRow: number }): void {
    this.bytes.fill(0);
    for (let row = firstRow; row < endRow; row += 1) this.set(row, DOUBTFUL);
  }

  /** Whether all records are written, and the digests may be taken in one piece. */
  get isAllWritten(): boolean {
    const last = STATES_AT + STATES_SIZE - 1;
    for (let at = STATES_AT; at < last; at += 1) {
      if (this.bytes[at] !== FOUR_WRITTEN) return false;
    }
    return this.bytes[last] === (FOUR_WRITTEN & 0b1111);
  }

  /** The digests of all records, 126 × 32 bytes, not copied. */
  get digests(): Buffer {
    return this.bytes.subarray(DIGESTS_AT);
  }

  /** Writes the place and the CRC, the last thing before the page goes to the file. */
  seal({ manifestId, pageNumber }: PagePlace): void {
    this.bytes.writeUInt32LE(pageNumber, PAGE_NUMBER_AT);
    this.bytes.set(manifestId, MANIFEST_ID_AT);
    this.bytes.writeUInt32LE(crc32c(this.bytes.subarray(PAGE_NUMBER_AT)), 0);
  }

  /** Whether every byte is zero: no page was ever written there. Sealed pages have their manifest's id. */
  get isBlank(): boolean {
    return this.bytes.readUInt32LE(0) === 0 && isZero(this.bytes);
  }

  /** Whether the page is whole, and of this manifest and place. */
  isWhole({ manifestId, pageNumber }: PagePlace): boolean {
    return (
      this.bytes.readUInt32LE(PAGE_NUMBER_AT) === pageNumber &&
      isEqual(this.bytes, manifestId) &&
      this.bytes.readUInt32LE(0) === crc32c(this.bytes.subarray(PAGE_NUMBER_AT))
    );
  }
}

/** The row of a block in its page, 0 to 125. */
export function rowOfBlock(blockIndex: number): number {
  return blockIndex % PAGE_RECORDS;
}

const ZERO_PAGE = Buffer.alloc(PAGE_SIZE);

function isZero(bytes: Buffer): boolean {
  return ZERO_PAGE.equals(bytes);
}

function isEqual(bytes: Buffer, manifestId: Uint8Array): boolean {
  const end = MANIFEST_ID_AT + MANIFEST_ID_SIZE;
  return bytes.compare(manifestId, 0, MANIFEST_ID_SIZE, MANIFEST_ID_AT, end) === 0;
}
