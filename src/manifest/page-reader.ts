import { DigestPage } from './digest-page.ts';
import { PAGE_RECORDS, PAGE_SIZE, pageOffset } from './layout.ts';
import type { BlockRange } from './manifest-facts.ts';
import type { ManifestFile } from './manifest-file.ts';
import type { SegmentMap } from './segment-map.ts';

/** What is needed to tell a manifest's own pages from anything else. */
export interface PageContext {
  readonly file: ManifestFile;
  readonly manifestId: Buffer;
  readonly blockCount: number;
  readonly pageCount: number;
  /** The blocks that the manifest may have records of. */
  readonly range: BlockRange;
  /** Header.trustedPages. */
  readonly trustedPages: number;
  readonly segments: SegmentMap;
}

/** What stands in the place of a page. */
export type PageVerdict = 'whole' | 'blank' | 'damaged';

/**
 * Judges the page that was read from a place, and makes of its records what may be believed: all doubtful where it was
 * torn, bent or cut off, so that damage costs only its blocks. Those outside a part's range are another's, and not in doubt.
 */
export function judgePage(
  page: DigestPage,
  pageNumber: number,
  { manifestId, trustedPages, range }: PageContext,
): PageVerdict {
  const isBlank = page.isBlank;
  if (isBlank && pageNumber < trustedPages) return 'blank';
  if (!isBlank && page.isWhole({ manifestId, pageNumber })) return 'whole';
  const firstBlock = pageNumber * PAGE_RECORDS;
  page.setDoubtful({
    firstRow: Math.max(0, range.firstBlock - firstBlock),
    endRow: Math.min(PAGE_RECORDS, range.endBlock - firstBlock),
  });
  return 'damaged';
}

/** Reads one page and judges it. */
export async function readPage(
  pageNumber: number,
  context: PageContext,
): Promise<{ readonly page: DigestPage; readonly verdict: PageVerdict }> {
  const page = DigestPage.empty();
  if (context.segments.hasPage(pageNumber)) await readPages(page.bytes, pageNumber, context);
  return { page, verdict: judgePage(page, pageNumber, context) };
}

/** What stands for bytes that could not be read: no page of it is whole. */
const UNREADABLE = 0xff;

/** Fills `bytes` with pages from `firstPage` on. What the disk cannot read any more is damage like any other. */
export async function readPages(
  bytes: Buffer,
  firstPage: number,
  { file }: Pick<PageContext, 'file'>,
): Promise<void> {
  try {
    // What the file does not have any more stays blank, and is then not trusted.
    bytes.fill(0, await file.read(bytes, pageOffset(firstPage)));
  } catch (error) {
    if (!isMediumError(error)) throw error;
    if (bytes.byteLength === PAGE_SIZE) return void bytes.fill(UNREADABLE);
    for (let at = 0; at < bytes.byteLength; at += PAGE_SIZE) {
      const one = bytes.subarray(at, at + PAGE_SIZE);
      await readPages(one, firstPage + at / PAGE_SIZE, { file });
    }
  }
}

function isMediumError(error: unknown): boolean {
  const { cause } = error as { cause?: NodeJS.ErrnoException };
  return cause?.code === 'EIO';
}
