import { LIST_RESULTS_MAX } from '../base/constants.ts';
import { volumeBlockCount } from '../base/units.ts';
import type { BlockPage, ListBlocksRequest, Transport } from '../transport/transport.ts';

/** Pages kept at one time: each stands for at least 5 GB of volume, and holds about 2 MB of tokens. */
const PAGES_MAX = 8;

/** Tokens of the blocks that a run of the volume holds. */
interface TokenPage {
  readonly first: number;
  readonly end: number;
  readonly tokens: ReadonlyMap<number, string>;
}

/** What a {@link BlockIndex} asks. */
export interface BlockIndexOptions {
  readonly transport: Transport;
  readonly snapshotId: string;
  readonly signal: AbortSignal;
}

/**
 * Tells which blocks a snapshot holds, and with which token each is read, in any order. Pages are listed where they are
 * needed and the ones used last are kept, so that memory is the same for any volume.
 */
export class BlockIndex {
  readonly #options: BlockIndexOptions;
  /** Those used last at the end. */
  readonly #pages = new Set<TokenPage>();
  /** Listings under way, by the block they start at. */
  readonly #listings = new Map<number, Promise<void>>();

  constructor(options: BlockIndexOptions) {
    this.#options = options;
  }

  /** Returns the token to read a block with; undefined when the snapshot does not hold it. Blocks behind the volume are not held. */
  async tokenOf(blockIndex: number): Promise<string | undefined> {
    const known = this.#pageOf(blockIndex);
    if (known !== undefined) return known.tokens.get(blockIndex);
    // At a multiple, so that whoever reads about here needs no other page.
    const start = blockIndex - (blockIndex % LIST_RESULTS_MAX);
    return this.#listFrom(start, blockIndex);
  }

  /**
   * Drops what was listed about a block, when the service does not take its token any more; nothing if it has been listed
   * anew meanwhile. Pages may overlap, and one may know the block by another token that is as old.
   */
  forget(blockIndex: number, refusedToken: string): void {
    const pages = [...this.#pages].filter((page) => covers(page, blockIndex));
    if (!pages.some(({ tokens }) => tokens.get(blockIndex) === refusedToken)) return;
    for (const page of pages) this.#pages.delete(page);
  }

  async #listFrom(start: number, blockIndex: number): Promise<string | undefined> {
    for (let first = start; ;) {
      await this.#list(first);
      const page = this.#pageOf(blockIndex);
      if (page !== undefined) return page.tokens.get(blockIndex);
      // A page may be shorter than asked for; the next one begins behind it. One that another has pushed out is listed again.
      first = this.#pageOf(first)?.end ?? blockIndex;
    }
  }

  #list(first: number): Promise<void> {
    let listing = this.#listings.get(first);
    if (listing === undefined) {
      listing = this.#fetch(first).finally(() => this.#listings.delete(first));
      this.#listings.set(first, listing);
    }
    return listing;
  }

  async #fetch(first: number): Promise<void> {
    let page = await this.#request({ startingBlockIndex: first });
    while (page.blocks.length === 0 && page.nextPageToken !== undefined) {
      page = await this.#request({ pageToken: page.nextPageToken });
    }
    const last = page.blocks.at(-1)?.blockIndex ?? first;
    const volumeEnd = Math.max(first + 1, volumeBlockCount(page.volumeSizeGiB));
    this.#keep({
      first,
      end: page.nextPageToken === undefined ? Math.max(volumeEnd, last + 1) : last + 1,
      tokens: new Map(page.blocks.map((block) => [block.blockIndex, block.blockToken])),
    });
  }

  #request(from: Omit<ListBlocksRequest, 'snapshotId'>): Promise<BlockPage> {
    const { transport, snapshotId, signal } = this.#options;
    return transport.listSnapshotBlocks({ snapshotId, ...from }, { signal });
  }

  #keep(page: TokenPage): void {
    this.#pages.add(page);
    for (const oldest of this.#pages) {
      if (this.#pages.size <= PAGES_MAX) return;
      this.#pages.delete(oldest);
    }
  }

  #pageOf(blockIndex: number): TokenPage | undefined {
    for (const page of this.#pages) {
      if (!covers(page, blockIndex)) continue;
      this.#pages.delete(page);
      this.#pages.add(page);
      return page;
    }
    return undefined;
  }
}

function covers({ first, end }: TokenPage, blockIndex: number): boolean {
  return first <= blockIndex && blockIndex < end;
}
