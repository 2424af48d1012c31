import { ABSENT, INHERITED, WRITTEN, type DigestPage } from './digest-page.ts';
import { PAGE_RECORDS, SEGMENT_PAGES, pageOffset } from './layout.ts';
import type { PageContext } from './page-reader.ts';
import { pageRuns } from './page-runs.ts';
import { scanSegments } from './page-scan.ts';

/** Copies all records of the base into a child that has none yet, and resolves when they are on the disk. */
export async function copyInherited(base: PageContext, child: PageContext): Promise<void> {
  const { file, manifestId } = child;
  for await (const pages of scanSegments(base)) {
    const pageNumbers = pages.map(({ pageNumber }) => pageNumber);
    await child.segments.admit(file, pageNumbers);
    for (const { page, pageNumber, recordCount } of pages) {
      makeInherited(page, recordCount);
      page.seal({ manifestId, pageNumber });
    }
    for (const run of pageRuns(pages, SEGMENT_PAGES)) {
      const bytes = Buffer.concat(run.map(({ page }) => page.bytes));
      await file.write(bytes, pageOffset(run[0]?.pageNumber ?? 0));
    }
  }
  await file.sync();
}

/**
 * A digest is a digest, wherever the base had it from. Behind the base's last block the child's volume may have grown:
 * there the parent has nothing.
 */
function makeInherited(page: DigestPage, recordCount: number): void {
  for (let row = 0; row < PAGE_RECORDS; row += 1) {
    const state = page.stateAt(row);
    if (row >= recordCount) page.set(row, ABSENT);
    else if (state === WRITTEN) page.set(row, INHERITED, page.digestAt(row));
  }
}
