import { BLOCK_SIZE } from '../base/constants.ts';
import { crc32c } from './crc32c.ts';
import {
  FORMAT_VERSION,
  HEADER_COPY_SIZE,
  MANIFEST_ID_SIZE,
  PAGE_RECORDS,
  PAGE_SIZE,
  pageCountOf,
} from './layout.ts';
import { factsFault, type ManifestFacts } from './manifest-facts.ts';

/** What a copy of the header holds. */
export interface Header {
  /** Raised with each change; of two whole copies the one with the higher number is the newer. */
  readonly sequence: number;
  /** 16 random bytes, made with the manifest. */
  readonly manifestId: Buffer;
  /**
   * Blank pages below this number were never written; blank pages from it on may be all that a truncation left of what
   * was there. All pages, until a file is found too short.
   */
  readonly trustedPages: number;
  readonly facts: ManifestFacts;
}

/** What was found where a copy of the header should be. */
export type HeaderCopy =
  | { readonly kind: 'whole'; readonly header: Header }
  /** Zeros alone: none was written yet. */
  | { readonly kind: 'blank' }
  /** It says that it is a manifest's header, and is not whole. */
  | { readonly kind: 'damaged'; readonly fault: string }
  /** A whole header of a version that is not known here. */
  | { readonly kind: 'foreign-version'; readonly version: number }
  /** It does not even begin like a manifest. */
  | { readonly kind: 'foreign' };

/** The first bytes of every manifest. As in PNG, what follows the text shows when a tool has "corrected" line ends. */
const MAGIC = Buffer.from('EBS-MANIFEST\r\n\x1a\n', 'latin1');

const VERSION_AT = 16;
const CRC_AT = 20;
const SEQUENCE_AT = 24;
const MANIFEST_ID_AT = 32;
const BLOCK_SIZE_AT = 48;
const PAGE_SIZE_AT = 52;
const PAGE_RECORDS_AT = 56;
const VOLUME_SIZE_AT = 60;
const TRUSTED_PAGES_AT = 64;
const JSON_SIZE_AT = 68;
const JSON_AT = 72;

/**
 * Writes one copy of the header:
 *
 * | offset | size | holds |
 * | --- | --- | --- |
 * | 0 | 16 | `EBS-MANIFEST`, CR, LF, 0x1A, LF |
 * | 16 | 4 | version, 1 |
 * | 20 | 4 | CRC32C of the whole copy, JSON included, with these 4 bytes zero |
 * | 24 | 8 | sequence |
 * | 32 | 16 | the manifest's id |
 * | 48 | 4 | bytes in a block |
 * | 52 | 4 | bytes in a page |
 * | 56 | 4 | records in a page |
 * | 60 | 4 | size of the volume, GiB |
 * | 64 | 4 | trusted pages |
 * | 68 | 4 | bytes of JSON |
 * | 72 | | facts: JSON, UTF-8 |
 *
 * The first 24 bytes, the place of the JSON's size and what the CRC covers are the same in all versions to come.
 * @throws {RangeError} ERR_OUT_OF_RANGE when the facts do not fit.
 */
export function encodeHeader({ sequence, manifestId, trustedPages, facts }: Header): Buffer {
  const json = Buffer.from(JSON.stringify(facts), 'utf8');
  const size = JSON_AT + json.byteLength;
  if (size > HEADER_COPY_SIZE) {
    const message = `the facts of a manifest may take ${HEADER_COPY_SIZE - JSON_AT} bytes, not ${json.byteLength}`;
    throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
  }
  const bytes = Buffer.alloc(size);
  bytes.set(MAGIC);
  bytes.writeUInt32LE(FORMAT_VERSION, VERSION_AT);
  bytes.writeBigUInt64LE(BigInt(sequence), SEQUENCE_AT);
  bytes.set(manifestId, MANIFEST_ID_AT);
  bytes.writeUInt32LE(BLOCK_SIZE, BLOCK_SIZE_AT);
  bytes.writeUInt32LE(PAGE_SIZE, PAGE_SIZE_AT);
  bytes.writeUInt32LE(PAGE_RECORDS, PAGE_RECORDS_AT);
  bytes.writeUInt32LE(facts.volumeSizeGiB, VOLUME_SIZE_AT);
  bytes.writeUInt32LE(trustedPages, TRUSTED_PAGES_AT);
  bytes.writeUInt32LE(json.byteLength, JSON_SIZE_AT);
  bytes.set(json, JSON_AT);
  bytes.writeUInt32LE(crc32c(bytes), CRC_AT);
  return bytes;
}

/** Reads what is in the place of a copy; `bytes` may be shorter than the place when the file ends in it. */
export function decodeHeader(bytes: Buffer): HeaderCopy {
  if (bytes.every((byte) => byte === 0)) return { kind: 'blank' };
  const begins = bytes.byteLength >= JSON_AT && bytes.subarray(0, MAGIC.byteLength).equals(MAGIC);
  if (!begins) return { kind: 'foreign' };
  const size = JSON_AT + bytes.readUInt32LE(JSON_SIZE_AT);
  if (size > bytes.byteLength) return { kind: 'damaged', fault: 'it is cut off' };
  const copy = Buffer.from(bytes.subarray(0, size));
  copy.writeUInt32LE(0, CRC_AT);
  if (crc32c(copy) !== bytes.readUInt32LE(CRC_AT)) return { kind: 'damaged', fault: 'its CRC' };
  const version = copy.readUInt32LE(VERSION_AT);
  if (version !== FORMAT_VERSION) return { kind: 'foreign-version', version };
  return decodeWhole(copy);
}

function decodeWhole(copy: Buffer): HeaderCopy {
  let facts: unknown;
  try {
    facts = JSON.parse(copy.toString('utf8', JSON_AT));
  } catch {
    return { kind: 'damaged', fault: 'its JSON' };
  }
  const fault = factsFault(facts) ?? numbersFault(copy, facts as ManifestFacts);
  if (fault !== undefined) return { kind: 'damaged', fault };
  const header = {
    sequence: Number(copy.readBigUInt64LE(SEQUENCE_AT)),
    manifestId: copy.subarray(MANIFEST_ID_AT, MANIFEST_ID_AT + MANIFEST_ID_SIZE),
    trustedPages: copy.readUInt32LE(TRUSTED_PAGES_AT),
    facts: facts as ManifestFacts,
  };
  return { kind: 'whole', header };
}

function numbersFault(copy: Buffer, { volumeSizeGiB }: ManifestFacts): string | undefined {
  if (copy.readUInt32LE(BLOCK_SIZE_AT) !== BLOCK_SIZE) return 'block size';
  if (copy.readUInt32LE(PAGE_SIZE_AT) !== PAGE_SIZE) return 'page size';
  if (copy.readUInt32LE(PAGE_RECORDS_AT) !== PAGE_RECORDS) return 'records in a page';
  if (copy.readUInt32LE(VOLUME_SIZE_AT) !== volumeSizeGiB) return 'volume size';
  if (copy.readUInt32LE(TRUSTED_PAGES_AT) > pageCountOf(volumeSizeGiB)) return 'trusted pages';
  return undefined;
}
