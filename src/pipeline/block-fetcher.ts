import type { BlockAnswer, ListedBlock, Transport } from '../transport/transport.ts';
import { isRefusedFor } from './page-stream.ts';

/** What a {@link BlockFetcher} reads from. */
export interface BlockFetcherOptions {
  readonly transport: Transport;
  readonly snapshotId: string;
  readonly signal: AbortSignal;
}

/**
 * Reads listed blocks. A block whose token the service no longer takes is listed again from its index, once, and read
 * with the new token; the page that brings it serves the blocks after it too.
 */
export class BlockFetcher {
  readonly #options: BlockFetcherOptions;
  /** Tokens of the page listed again last, by block index. */
  #renewed = new Map<number, string>();
  /** Ends with the renewal under way: one listing at a time, so that many refusals share a page. */
  #renewal: Promise<unknown> = Promise.resolve();

  constructor(options: BlockFetcherOptions) {
    this.#options = options;
  }

  /**
   * @param into - BLOCK_SIZE bytes to put the block into, all of it the caller's again when the promise is settled.
   * @throws what the transport throws; INVALID_BLOCK_TOKEN only if a new token is refused too, or there is none.
   */
  async fetch({ blockIndex, blockToken }: ListedBlock, into?: Uint8Array): Promise<BlockAnswer> {
    const token = this.#renewed.get(blockIndex) ?? blockToken;
    try {
      return await this.#get({ blockIndex, blockToken: token }, into);
    } catch (error) {
      if (!isRefusedFor(error, 'INVALID_BLOCK_TOKEN')) throw error;
      const renewal = this.#renewal.then(() => this.#renew(blockIndex, token));
      this.#renewal = renewal.catch(() => undefined);
      const renewed = await renewal;
      if (renewed === undefined) throw error;
      return this.#get({ blockIndex, blockToken: renewed }, into);
    }
  }

  #get(block: ListedBlock, into: Uint8Array | undefined): Promise<BlockAnswer> {
    const { transport, snapshotId, signal } = this.#options;
    const request = { snapshotId, ...block, ...(into === undefined ? {} : { into }) };
    return transport.getSnapshotBlock(request, { signal });
  }

  async #renew(blockIndex: number, refused: string): Promise<string | undefined> {
    const known = this.#renewed.get(blockIndex);
    if (known !== undefined && known !== refused) return known;
    const { transport, snapshotId, signal } = this.#options;
    let page = await transport.listSnapshotBlocks(
      { snapshotId, startingBlockIndex: blockIndex },
      { signal },
    );
    while (page.blocks.length === 0 && page.nextPageToken !== undefined) {
      const { nextPageToken: pageToken } = page;
      page = await transport.listSnapshotBlocks({ snapshotId, pageToken }, { signal });
    }
    this.#renewed = new Map(page.blocks.map((block) => [block.blockIndex, block.blockToken]));
    return this.#renewed.get(blockIndex);
  }
}
