import { createHash } from 'node:crypto';
import { DIGEST_SIZE } from '../base/constants.ts';
import { DOUBTFUL, INHERITED, WRITTEN } from './digest-page.ts';
import { PAGE_RECORDS, PAGE_SIZE, SEGMENT_PAGES } from './layout.ts';
import type { PageContext } from './page-reader.ts';
import { scanSegments, type ScannedPage } from './page-scan.ts';

/** What a manifest comes to. */
export interface ManifestSummary {
  /** CompleteSnapshot's ChangedBlocksCount: blocks written in this snapshot. */
  readonly changedBlocksCount: number;
  /** SHA-256 over the binary digests of those blocks in ascending index order (LINEAR), 32 bytes. */
  readonly aggregateDigest: Buffer;
  /** Blocks known from the base and not written in this snapshot. */
  readonly inheritedBlocksCount: number;
  /** Blocks that must be sent before the snapshot can be completed. */
  readonly doubtfulBlocksCount: number;
  /** Pages that are not whole; their blocks are doubtful. */
  readonly damagedPagesCount: number;
}

/** Counts and hashes all records in one pass. Memory: three segments of 256 KiB. */
export async function summarize(context: PageContext): Promise<ManifestSummary> {
  const hash = createHash('sha256');
  const counts = [0, 0, 0, 0];
  let damagedPagesCount = 0;
  // The digests of a segment side by side, so that the hash is called once for thousands of them.
  const gathered = Buffer.from(new ArrayBuffer(SEGMENT_PAGES * PAGE_SIZE));
  for await (const pages of scanSegments(context)) {
    let gatheredSize = 0;
    for (const scanned of pages) {
      if (scanned.verdict === 'damaged') damagedPagesCount += 1;
      gatheredSize += gatherWritten(scanned, counts, gathered.subarray(gatheredSize));
    }
    hash.update(gathered.subarray(0, gatheredSize));
  }
  return {
    changedBlocksCount: counts[WRITTEN] ?? 0,
    aggregateDigest: hash.digest(),
    inheritedBlocksCount: counts[INHERITED] ?? 0,
    doubtfulBlocksCount: counts[DOUBTFUL] ?? 0,
    damagedPagesCount,
  };
}

/** Counts the records of a page by state, copies the digests of its written blocks, and returns their size in bytes. */
function gatherWritten(
  { page, recordCount }: ScannedPage,
  counts: number[],
  gathered: Buffer,
): number {
  if (recordCount === PAGE_RECORDS && page.isAllWritten) {
    counts[WRITTEN] = (counts[WRITTEN] ?? 0) + PAGE_RECORDS;
    return page.digests.copy(gathered);
  }
  let size = 0;
  for (let row = 0; row < recordCount; row += 1) {
    const state = page.stateAt(row);
    counts[state] = (counts[state] ?? 0) + 1;
    if (state !== WRITTEN) continue;
    gathered.set(page.digestAt(row), size);
    size += DIGEST_SIZE;
  }
  return size;
}
