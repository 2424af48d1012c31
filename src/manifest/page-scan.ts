import { DigestPage } from './digest-page.ts';
import { PAGE_RECORDS, PAGE_SIZE, SEGMENT_PAGES, segmentOfPage } from './layout.ts';
import { judgePage, readPages, type PageContext, type PageVerdict } from './page-reader.ts';
import { pagesOfSegment } from './segment-map.ts';

/** A page that has something in it: one that was found whole, or a damaged one, whose records are all doubtful. */
export interface ScannedPage {
  readonly pageNumber: number;
  readonly page: DigestPage;
  /** Records of it that are blocks of the volume: 126, fewer in the last page. */
  readonly recordCount: number;
  readonly verdict: Exclude<PageVerdict, 'blank'>;
}

/**
 * Goes through all pages in order, a segment at a time, from the segment of `fromPage` on: reads the next one while the last one is looked at, and does not
 * read what was never written. The pages are views of a buffer that is used again: look at them before asking for more.
 */
export async function* scanSegments(
  context: PageContext,
  fromPage = 0,
): AsyncGenerator<readonly ScannedPage[], void, undefined> {
  const buffers = [newSegmentBuffer(), newSegmentBuffer()];
  let ahead: Promise<ReadSegment> | undefined;
  try {
    for (const segment of segmentsOf(context, fromPage)) {
      const buffer = buffers.shift() ?? newSegmentBuffer();
      const next = readSegment(segment, buffer, context);
      // Its failure is heard of when it is waited for.
      next.catch(() => undefined);
      const current = await ahead;
      ahead = next;
      if (current === undefined) continue;
      yield judgeSegment(current, context);
      buffers.push(current.buffer);
    }
    if (ahead !== undefined) yield judgeSegment(await ahead, context);
  } finally {
    // No read may be under way when the file is closed.
    await ahead?.catch(() => undefined);
  }
}

interface ReadSegment {
  readonly firstPage: number;
  readonly count: number;
  readonly buffer: Buffer;
}

function newSegmentBuffer(): Buffer {
  return Buffer.from(new ArrayBuffer(SEGMENT_PAGES * PAGE_SIZE));
}

/** Segments that have pages, or may have lost them with the end of the file. */
function* segmentsOf(
  { segments, pageCount, trustedPages }: PageContext,
  fromPage: number,
): Generator<number> {
  const segmentCount = Math.ceil(pageCount / SEGMENT_PAGES);
  for (let segment = segmentOfPage(fromPage); segment < segmentCount; segment += 1) {
    const isTrusted = (segment + 1) * SEGMENT_PAGES <= trustedPages || trustedPages === pageCount;
    if (segments.hasSegment(segment) || !isTrusted) yield segment;
  }
}

async function readSegment(
  segment: number,
  buffer: Buffer,
  context: PageContext,
): Promise<ReadSegment> {
  const { firstPage, count } = pagesOfSegment(segment, context.pageCount);
  const bytes = buffer.subarray(0, count * PAGE_SIZE);
  if (context.segments.hasSegment(segment)) await readPages(bytes, firstPage, context);
  else bytes.fill(0);
  return { firstPage, count, buffer };
}

function judgeSegment(
  { firstPage, count, buffer }: ReadSegment,
  context: PageContext,
): ScannedPage[] {
  const pages: ScannedPage[] = [];
  for (let position = 0; position < count; position += 1) {
    const pageNumber = firstPage + position;
    const bytes = buffer.subarray(position * PAGE_SIZE, (position + 1) * PAGE_SIZE);
    const page = new DigestPage(bytes);
    const verdict = judgePage(page, pageNumber, context);
    const recordCount = Math.min(PAGE_RECORDS, context.blockCount - pageNumber * PAGE_RECORDS);
    if (verdict !== 'blank') pages.push({ pageNumber, page, recordCount, verdict });
  }
  return pages;
}
