import { volumeBlockCount } from '../base/units.ts';

/**
 * Where everything lies in a manifest. All numbers in it are little-endian; docs/manifest.md has the same for readers in
 * other languages.
 *
 * | offset | size | holds |
 * | --- | --- | --- |
 * | 0 | 65,536 | header, first copy |
 * | 65,536 | 65,536 | header, second copy |
 * | 131,072 | 4,096 | holder: who has the manifest open for writing |
 * | 135,168 | 4,096 | segment map: where pages have been written |
 * | 139,264 | 4,096 × pages | digest pages, 126 records each |
 */
export const HEADER_COPY_OFFSETS = [0, 65_536] as const;

/** Bytes kept for one copy of the header: room for the largest StartSnapshot request, 50 tags and a description. */
export const HEADER_COPY_SIZE = 65_536;

/** Byte offset of the holder's page. */
export const HOLDER_OFFSET = 131_072;

/** Byte offset of the segment map. */
export const SEGMENT_MAP_OFFSET = 135_168;

/** Byte offset of digest page 0. */
export const PAGES_OFFSET = 139_264;

/** Bytes in one page: what file systems write in one piece, so that a crash tears few of them. */
export const PAGE_SIZE = 4096;

/** Records in one digest page: 64 bytes are left for its CRC, its place and the states. */
export const PAGE_RECORDS = 126;

/** Pages that one bit of the segment map stands for: 256 KiB of the manifest, 3.9 GiB of the volume. */
export const SEGMENT_PAGES = 64;

/** Bytes of the random id that binds header and pages together. */
export const MANIFEST_ID_SIZE = 16;

/** The version that this code writes, and the only one that it reads. */
export const FORMAT_VERSION = 1;

/** Digest pages of a volume of `volumeSizeGiB`, the last one partly used. */
export function pageCountOf(volumeSizeGiB: number): number {
  return Math.ceil(volumeBlockCount(volumeSizeGiB) / PAGE_RECORDS);
}

/** The digest page that has the record of a block. */
export function pageOfBlock(blockIndex: number): number {
  return Math.floor(blockIndex / PAGE_RECORDS);
}

/** Byte offset of a digest page. */
export function pageOffset(pageNumber: number): number {
  return PAGES_OFFSET + pageNumber * PAGE_SIZE;
}

/** The segment that has a digest page. */
export function segmentOfPage(pageNumber: number): number {
  return Math.floor(pageNumber / SEGMENT_PAGES);
}
