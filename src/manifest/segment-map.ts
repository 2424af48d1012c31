import { crc32c } from './crc32c.ts';
import {
  MANIFEST_ID_SIZE,
  PAGE_SIZE,
  SEGMENT_MAP_OFFSET,
  SEGMENT_PAGES,
  segmentOfPage,
} from './layout.ts';
import type { ManifestFile } from './manifest-file.ts';

const MANIFEST_ID_AT = 8;
const BITS_AT = 32;

/**
 * Which segments of the manifest have pages: one bit for 64 of them. Node cannot ask a file for its holes, and reading
 * those of a 64 TiB volume takes seconds and fills the page cache. A bit is on the disk before the first page of its
 * segment is written, and a page whose bit is not set is blank, whatever the file holds there.
 *
 * | offset | size | holds |
 * | --- | --- | --- |
 * | 0 | 4 | CRC32C of bytes 4 to 4095 |
 * | 4 | 4 | zero |
 * | 8 | 16 | the manifest's id |
 * | 24 | 8 | zero |
 * | 32 | 4064 | bits, the lowest first |
 */
export class SegmentMap {
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The map of a manifest that has no pages. */
  static empty(manifestId: Uint8Array): SegmentMap {
    const bytes = Buffer.from(new ArrayBuffer(PAGE_SIZE));
    bytes.set(manifestId, MANIFEST_ID_AT);
    return new SegmentMap(bytes);
  }

  /** Reads the map; one that is not whole says that pages may be anywhere. */
  static async read(file: ManifestFile, manifestId: Buffer): Promise<SegmentMap> {
    const map = SegmentMap.empty(manifestId);
    const bytes = Buffer.from(new ArrayBuffer(PAGE_SIZE));
    await file.read(bytes, SEGMENT_MAP_OFFSET);
    if (bytes.every((byte) => byte === 0)) return map;
    const id = bytes.subarray(MANIFEST_ID_AT, MANIFEST_ID_AT + MANIFEST_ID_SIZE);
    const isWhole = id.equals(manifestId) && bytes.readUInt32LE(0) === crc32c(bytes.subarray(4));
    if (isWhole) return new SegmentMap(bytes);
    map.#bytes.fill(0xff, BITS_AT);
    return map;
  }

  /** Whether the page's segment has pages. */
  hasPage(pageNumber: number): boolean {
    return this.hasSegment(segmentOfPage(pageNumber));
  }

  /** Whether the segment has pages. */
  hasSegment(segment: number): boolean {
    return ((this.#bytes[BITS_AT + (segment >>> 3)] ?? 0) & (1 << (segment & 7))) !== 0;
  }

  /** Makes sure that the pages' bits are set on the disk. A write once for 64 pages, otherwise nothing. */
  async admit(file: ManifestFile, pageNumbers: readonly number[]): Promise<void> {
    const segments = pageNumbers.map(segmentOfPage).filter((segment) => !this.hasSegment(segment));
    if (segments.length === 0) return;
    for (const segment of segments) {
      const at = BITS_AT + (segment >>> 3);
      this.#bytes[at] = (this.#bytes[at] ?? 0) | (1 << (segment & 7));
    }
    this.#bytes.writeUInt32LE(crc32c(this.#bytes.subarray(4)), 0);
    await file.write(this.#bytes, SEGMENT_MAP_OFFSET);
    await file.sync();
  }
}

/** The pages of a segment: its first, and how many there are of `pageCount` in all. */
export function pagesOfSegment(
  segment: number,
  pageCount: number,
): { readonly firstPage: number; readonly count: number } {
  const firstPage = segment * SEGMENT_PAGES;
  return { firstPage, count: Math.min(SEGMENT_PAGES, pageCount - firstPage) };
}
