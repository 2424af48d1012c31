import { createHash } from 'node:crypto';
import { DIGEST_SIZE } from '../base/constants.ts';
import type { Block } from '../engine/engine.ts';
import type { BlockDigest } from './compare-blocks.ts';
import type { Decision, RecordedBlocks, UploadRecords } from './upload-records.ts';

/** Digests in one page: 4 KiB of them. */
const PAGE_BLOCKS = 128;

/** 128 digests, and one bit for each that says whether it is there. */
interface Page {
  readonly digests: Buffer;
  readonly present: Uint8Array;
}

/**
 * The digest of every block that the service acknowledged in this run, by index, for uploads without a manifest. Count and
 * aggregate are derived from it, never counted along the way. Memory: 4 KiB for each run of 128 blocks touched.
 */
export class AcknowledgedBlocks implements UploadRecords {
  readonly #pages = new Map<number, Page>();
  readonly #omitsZeroBlocks: boolean;
  #count = 0;

  /** @param options.omitsZeroBlocks - Whether zero blocks are left out. Default false. */
  constructor({ omitsZeroBlocks = false }: { readonly omitsZeroBlocks?: boolean } = {}) {
    this.#omitsZeroBlocks = omitsZeroBlocks;
  }

  /** A zero block is left out only as long as nothing else was sent for its index. */
  decide({ index, kind }: Block): Decision {
    const isOmitted = this.#omitsZeroBlocks && kind !== 'data' && !this.#has(index);
    return isOmitted ? 'omit' : 'send';
  }

  doubt(): Promise<void> {
    // What is in memory is gone with the run that could be wrong about it.
    return Promise.resolve();
  }

  record(blockIndex: number, digest: Uint8Array): void {
    const page = this.#page(Math.floor(blockIndex / PAGE_BLOCKS));
    const row = blockIndex % PAGE_BLOCKS;
    if (page.present[row] === 0) this.#count += 1;
    page.present[row] = 1;
    page.digests.set(digest, row * DIGEST_SIZE);
  }

  whenReady(): undefined {
    return undefined;
  }

  summary(): Promise<RecordedBlocks> {
    const aggregateDigest = this.#aggregateDigest();
    return Promise.resolve({ changedBlocksCount: this.#count, aggregateDigest });
  }

  async *digests(): AsyncGenerator<BlockDigest, void> {
    for (const key of this.#keys()) {
      await Promise.resolve();
      yield* digestsOf(key * PAGE_BLOCKS, this.#page(key));
    }
  }

  #has(blockIndex: number): boolean {
    const page = this.#pages.get(Math.floor(blockIndex / PAGE_BLOCKS));
    return page?.present[blockIndex % PAGE_BLOCKS] === 1;
  }

  #aggregateDigest(): Uint8Array {
    const hash = createHash('sha256');
    for (const key of this.#keys()) {
      for (const { digest } of digestsOf(key * PAGE_BLOCKS, this.#page(key))) hash.update(digest);
    }
    return hash.digest();
  }

  #keys(): number[] {
    return [...this.#pages.keys()].sort((a, b) => a - b);
  }

  #page(key: number): Page {
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = {
        digests: Buffer.alloc(PAGE_BLOCKS * DIGEST_SIZE),
        present: new Uint8Array(PAGE_BLOCKS),
      };
      this.#pages.set(key, page);
    }
    return page;
  }
}

/** The digests of a page, ascending; each is a view. */
function* digestsOf(
  firstBlock: number,
  { digests, present }: Page,
): Generator<Required<BlockDigest>, void> {
  for (const [row, isPresent] of present.entries()) {
    const at = row * DIGEST_SIZE;
    if (isPresent === 0) continue;
    yield { blockIndex: firstBlock + row, digest: digests.subarray(at, at + DIGEST_SIZE) };
  }
}
