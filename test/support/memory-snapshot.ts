import { BLOCK_SIZE, BLOCKS_PER_GIB } from '../../src/base/constants.ts';
import { sha256 } from '../../src/base/digest.ts';
import { abortError, ServiceError } from '../../src/base/errors.ts';
import type {
  BlockAnswer,
  BlockPage,
  CallOptions,
  GetBlockRequest,
  ListBlocksRequest,
  Transport,
} from '../../src/transport/transport.ts';

/** What a {@link MemorySnapshot} holds and how it behaves. */
export interface MemorySnapshotOptions {
  /** Blocks of the volume; need not make a whole GiB. */
  readonly blockCount: number;
  /** Blocks that the snapshot holds, by index. */
  readonly blocks: ReadonlyMap<number, Uint8Array>;
  /** Entries a page. Default: all on one. */
  readonly pageSize?: number;
  /** Puts an empty page with a token before each page but the first. */
  readonly hasEmptyPages?: boolean;
  /** Runs before each answer: waits, or throws what the service would. */
  readonly onList?: (request: ListBlocksRequest) => Promise<void> | void;
  readonly onGet?: (request: GetBlockRequest, options: CallOptions) => Promise<void> | void;
}

/** A readable snapshot behind the transport interface, without a network. */
export class MemorySnapshot implements Transport {
  readonly snapshotId = 'snap-0123456789abcdef0';
  /** Requests in the order of their arrival. */
  readonly lists: ListBlocksRequest[] = [];
  readonly gets: GetBlockRequest[] = [];
  /** Requests not answered yet, and the most there ever were of blocks. */
  pending = 0;
  getsPendingMax = 0;
  /** Block tokens of earlier generations are refused; every listing hands out the newest. */
  generation = 0;
  readonly #options: MemorySnapshotOptions;
  readonly #indices: number[];
  #getsPending = 0;

  constructor(options: MemorySnapshotOptions) {
    this.#options = options;
    this.#indices = [...options.blocks.keys()].sort((a, b) => a - b);
  }

  /** The volume as it must come out. */
  get volume(): Buffer {
    const volume = Buffer.alloc(this.#options.blockCount * BLOCK_SIZE);
    for (const [index, data] of this.#options.blocks) volume.set(data, index * BLOCK_SIZE);
    return volume;
  }

  async listSnapshotBlocks(request: ListBlocksRequest, options?: CallOptions): Promise<BlockPage> {
    this.lists.push(request);
    return this.#answering(options, async () => {
      await this.#options.onList?.(request);
      return this.#page(request);
    });
  }

  async getSnapshotBlock(request: GetBlockRequest, options?: CallOptions): Promise<BlockAnswer> {
    this.gets.push(request);
    this.#getsPending += 1;
    this.getsPendingMax = Math.max(this.getsPendingMax, this.#getsPending);
    try {
      return await this.#answering(options, async () => {
        await this.#options.onGet?.(request, options ?? {});
        return this.#block(request);
      });
    } finally {
      this.#getsPending -= 1;
    }
  }

  startSnapshot(): never {
    throw new Error('a restore starts no snapshot');
  }

  putSnapshotBlock(): never {
    throw new Error('a restore puts no block');
  }

  listChangedBlocks(): never {
    throw new Error('a restore compares no snapshots');
  }

  completeSnapshot(): never {
    throw new Error('a restore completes no snapshot');
  }

  describeSnapshot(): never {
    throw new Error('a restore does not ask EC2');
  }

  deleteSnapshot(): never {
    throw new Error('a restore deletes no snapshot');
  }

  close(): Promise<void> {
    // Nothing is open.
    return Promise.resolve();
  }

  #page({ pageToken, startingBlockIndex = 0 }: ListBlocksRequest): BlockPage {
    const { blockCount, pageSize = Infinity, hasEmptyPages = false } = this.#options;
    // A page token says at which index the next page starts, and whether the empty page is behind it.
    const [start = 0, isAfterEmpty = 1] = pageToken?.split(',').map(Number) ?? [startingBlockIndex];
    const volumeSizeGiB = blockCount / BLOCKS_PER_GIB;
    if (hasEmptyPages && isAfterEmpty === 0) {
      return { volumeSizeGiB, blocks: [], nextPageToken: `${start},1` };
    }
    const rest = this.#indices.filter((index) => index >= start);
    const blocks = rest.slice(0, pageSize).map((blockIndex) => {
      return { blockIndex, blockToken: `${blockIndex}@${this.generation}` };
    });
    const next = rest[blocks.length];
    return { volumeSizeGiB, blocks, ...(next === undefined ? {} : { nextPageToken: `${next},0` }) };
  }

  #block({ blockIndex, blockToken }: GetBlockRequest): BlockAnswer {
    const data = this.#options.blocks.get(blockIndex);
    if (data === undefined || blockToken !== `${blockIndex}@${this.generation}`) {
      throw refusal('INVALID_BLOCK_TOKEN');
    }
    return { data, digest: sha256(data) };
  }

  async #answering<T>(options: CallOptions | undefined, answer: () => Promise<T>): Promise<T> {
    const { signal } = options ?? {};
    if (signal?.aborted === true) throw abortError(signal);
    this.pending += 1;
    let onAbort = (): void => undefined;
    try {
      const aborted = new Promise<never>((_, reject) => {
        // A socket takes a moment to go down; whoever does not wait for it is found out.
        onAbort = () => void setImmediate(() => reject(abortError(signal)));
        signal?.addEventListener('abort', onAbort);
      });
      return await Promise.race([answer(), aborted]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.pending -= 1;
    }
  }
}

/** What the transport makes of a 400 with this Reason. */
export function refusal(reason: string): ServiceError {
  return new ServiceError('ERR_EBS_SERVICE', `refused for ${reason}`, { statusCode: 400, reason });
}

/** One block filled with `byte`. */
export function filledBlock(byte: number): Uint8Array {
  return new Uint8Array(BLOCK_SIZE).fill(byte);
}
