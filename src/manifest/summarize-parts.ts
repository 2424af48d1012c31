import { createHash } from 'node:crypto';
import { DIGEST_SIZE } from '../base/constants.ts';
import { ZERO_BLOCK_DIGEST } from '../base/digest.ts';
import { alignedPages, type AlignedPage, type PageClaim } from './aligned-pages.ts';
import { DOUBTFUL, WRITTEN } from './digest-page.ts';
import { PAGE_RECORDS, PAGE_SIZE, SEGMENT_PAGES } from './layout.ts';
import type { PageContext } from './page-reader.ts';

/** Two parts that sent different bytes for one block, or of which one left it out as zero. */
export interface Contradiction {
  readonly blockIndex: number;
  /** Positions of two parts in the list of parts. */
  readonly parts: readonly [number, number];
}

/** What parts come to together. */
export interface PartsSummary {
  /** CompleteSnapshot's ChangedBlocksCount: blocks that any of the parts wrote. */
  readonly changedBlocksCount: number;
  /** SHA-256 over the binary digests of those blocks in ascending index order (LINEAR), 32 bytes. */
  readonly aggregateDigest: Buffer;
  /** For each part, the blocks that it must send again before the snapshot can be completed. */
  readonly doubtfulBlocksCounts: readonly number[];
  /** The first there is; nothing behind it was looked at. */
  readonly contradiction: Contradiction | undefined;
}

/**
 * Counts and hashes the blocks of all parts in one pass, each block once however many parts sent it. Memory: three
 * segments of 256 KiB for each part whose range the pass is in.
 */
export async function summarizeParts(parts: readonly PageContext[]): Promise<PartsSummary> {
  const pass = new MergingPass(parts.length);
  for await (const aligned of alignedPages(parts)) {
    pass.take(aligned);
    if (pass.contradiction !== undefined) break;
  }
  return pass.end();
}

/** The sums of a pass over aligned pages. */
class MergingPass {
  contradiction: Contradiction | undefined;
  readonly #hash = createHash('sha256');
  readonly #doubtful: number[];
  /** Digests side by side, so that the hash is called once for thousands of them. */
  readonly #gathered = Buffer.from(new ArrayBuffer(SEGMENT_PAGES * PAGE_SIZE));
  #gatheredSize = 0;
  #writtenCount = 0;

  constructor(partCount: number) {
    this.#doubtful = new Array<number>(partCount).fill(0);
  }

  take({ pageNumber, claims }: AlignedPage): void {
    if (this.#gatheredSize + PAGE_RECORDS * DIGEST_SIZE > this.#gathered.length) this.#flush();
    const [first, ...others] = claims;
    if (first !== undefined && others.length === 0 && first.page.isAllWritten) {
      this.#gatheredSize += first.page.digests.copy(this.#gathered, this.#gatheredSize);
      this.#writtenCount += PAGE_RECORDS;
      return;
    }
    for (let row = 0; row < PAGE_RECORDS; row += 1) {
      this.#takeBlock(pageNumber * PAGE_RECORDS + row, row, claims);
    }
  }

  end(): PartsSummary {
    this.#flush();
    return {
      changedBlocksCount: this.#writtenCount,
      aggregateDigest: this.#hash.digest(),
      doubtfulBlocksCounts: this.#doubtful,
      contradiction: this.contradiction,
    };
  }

  #takeBlock(blockIndex: number, row: number, claims: readonly PageClaim[]): void {
    let known: { readonly part: number; readonly digest: Uint8Array } | undefined;
    let isWritten = false;
    for (const { part, context, page } of claims) {
      const { firstBlock, endBlock } = context.range;
      if (blockIndex < firstBlock || blockIndex >= endBlock) continue;
      const state = page.stateAt(row);
      if (state === DOUBTFUL) {
        this.#doubtful[part] = (this.#doubtful[part] ?? 0) + 1;
        continue;
      }
      // What a part has in its range and did not send, it left out as zero.
      const digest = state === WRITTEN ? page.digestAt(row) : ZERO_BLOCK_DIGEST;
      isWritten ||= state === WRITTEN;
      known ??= { part, digest };
      if (Buffer.compare(digest, known.digest) === 0) continue;
      this.contradiction ??= { blockIndex, parts: [known.part, part] };
    }
    if (!isWritten || known === undefined) return;
    this.#writtenCount += 1;
    this.#gathered.set(known.digest, this.#gatheredSize);
    this.#gatheredSize += DIGEST_SIZE;
  }

  #flush(): void {
    this.#hash.update(this.#gathered.subarray(0, this.#gatheredSize));
    this.#gatheredSize = 0;
  }
}
