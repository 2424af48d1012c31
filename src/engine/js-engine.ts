import type { BigIntStats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:os';
import { BLOCK_SIZE } from '../base/constants.ts';
import { sha256, ZERO_BLOCK_DIGEST } from '../base/digest.ts';
import { abortError, type SourceError } from '../base/errors.ts';
import { blockOffset } from '../base/units.ts';
import type { BlockSet } from './block-set.ts';
import { BlockPool, type Lease } from './block-pool.ts';
import { writeWhole } from './whole-write.ts';
import type {
  Block,
  BlockDestination,
  BlockFacts,
  Engine,
  EngineReader,
  EngineWriter,
  ReadOptions,
} from './engine.ts';
import { JsWriter } from './js-writer.ts';
import { checkReadOptions, clipRange, type BlockRange, type ReadRequest } from './read-range.ts';
import { NOT_SEEKABLE_ERRNO, openError, readError, SHRUNK_ERRNO } from './source-failure.ts';
import type { SourceFailure } from './source-failure.ts';
import { zeroBlock, ZERO_BLOCK_DATA } from './zero-block.ts';

/** Blocks that one call of next() reads at most; more would only delay the first of them. */
const BLOCKS_PER_CALL = 4;

/**
 * The reference engine in plain Node: the same blocks, digests and errors as the native one, byte for byte, at the
 * speed of `fs` and `node:crypto`. It hashes on the calling thread and knows no holes: it reads them as zeros.
 */
export class JsEngine implements Engine {
  readonly name = 'js';

  async openReader(path: string, options: ReadOptions = {}): Promise<EngineReader> {
    const request = checkReadOptions(options);
    try {
      return await openChecked(path, request);
    } catch (error) {
      throw openError(path, toFailure(error, 0));
    }
  }

  openWriter(handle: FileHandle): EngineWriter {
    return new JsWriter(handle);
  }

  /** It writes through the page cache, which takes any memory. */
  alignSlots(): number {
    return 0;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- The interface is asynchronous; hashing here is not.
  async inspect(blocks: readonly Uint8Array[]): Promise<BlockFacts[]> {
    return blocks.map(factsOf);
  }

  async save(block: Uint8Array, destination: BlockDestination): Promise<BlockFacts> {
    const { fd, offset, expectedDigest } = destination;
    const facts = factsOf(block);
    if (Buffer.compare(facts.digest, expectedDigest) === 0) await writeWhole(fd, block, offset);
    return facts;
  }
}

class JsReader implements EngineReader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly isBlockDevice: boolean;
  readonly isDirect = false;
  readonly #file: FileHandle;
  readonly #pool: BlockPool;
  readonly #endBlock: number;
  readonly #closing = new AbortController();
  #nextBlock: number;
  /** The blocks to read; all when undefined. */
  #selected: BlockSet | undefined;
  #failure: SourceError | undefined;
  /** The call of next() in progress, which close() waits for. */
  #reading: Promise<void> = Promise.resolve();

  constructor(opened: OpenedSource, slotCount: number, range: BlockRange) {
    this.path = opened.path;
    this.sizeBytes = opened.sizeBytes;
    this.isBlockDevice = opened.isBlockDevice;
    this.#file = opened.file;
    this.#pool = new BlockPool({ maxBytes: slotCount * BLOCK_SIZE });
    this.#nextBlock = range.firstBlock;
    this.#endBlock = range.endBlock;
  }

  select(blocks: BlockSet): void {
    this.#selected = blocks;
    this.#nextBlock = blocks.firstFrom(this.#nextBlock, this.#endBlock);
  }

  async next(): Promise<readonly Block[]> {
    let finish = (): void => undefined;
    this.#reading = new Promise((resolve) => (finish = resolve));
    try {
      return await this.#readBlocks();
    } finally {
      finish();
    }
  }

  setMaxBufferBytes(maxBufferBytes: number): void {
    this.#pool.resize(maxBufferBytes);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#reading;
    this.#pool.retire();
    await this.#file.close();
  }

  async #readBlocks(): Promise<Block[]> {
    this.#throwIfClosed();
    const blocks: Block[] = [];
    while (blocks.length < BLOCKS_PER_CALL && this.#nextBlock < this.#endBlock) {
      const lease =
        this.#pool.tryLease() ?? (blocks.length === 0 ? await this.#lease() : undefined);
      if (lease === undefined || !(await this.#fill(lease, blocks.length === 0))) break;
      blocks.push(toBlock(this.#nextBlock, lease));
      const after = this.#nextBlock + 1;
      this.#nextBlock = this.#selected?.firstFrom(after, this.#endBlock) ?? after;
    }
    this.#throwIfClosed(blocks);
    return blocks;
  }

  #throwIfClosed(unwanted: readonly Block[] = []): void {
    if (!this.#closing.signal.aborted) return;
    for (const block of unwanted) block.release();
    throw abortError();
  }

  #lease(): Promise<Lease> {
    return this.#pool.lease(this.#closing.signal);
  }

  /** Returns whether the next block is in `lease`. A failure waits for the call in which no block goes before it. */
  async #fill(lease: Lease, isFirst: boolean): Promise<boolean> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#readBlock(this.#nextBlock, lease.bytes);
      return true;
    } catch (error) {
      lease.release();
      this.#failure = error as SourceError;
      if (isFirst) throw error;
      return false;
    }
  }

  async #readBlock(index: number, bytes: Buffer): Promise<void> {
    const offset = blockOffset(index);
    const expected = Math.min(BLOCK_SIZE, this.sizeBytes - offset);
    let filled = 0;
    while (filled < expected) {
      const bytesRead = await this.#readSome(bytes.subarray(filled, expected), offset + filled);
      filled += bytesRead;
    }
    bytes.fill(0, expected);
  }

  async #readSome(bytes: Uint8Array, offset: number): Promise<number> {
    let bytesRead: number;
    try {
      ({ bytesRead } = await this.#file.read(bytes, 0, bytes.length, offset));
    } catch (error) {
      throw readError(this.path, toFailure(error, offset));
    }
    if (bytesRead > 0) return bytesRead;
    throw readError(this.path, { errno: SHRUNK_ERRNO, syscall: 'read', offset });
  }
}

interface OpenedSource {
  readonly path: string;
  readonly file: FileHandle;
  readonly sizeBytes: number;
  readonly isBlockDevice: boolean;
}

async function openChecked(path: string, request: ReadRequest): Promise<JsReader> {
  // Some devices act upon being opened, so what it is is asked first.
  checkKind(await stat(path, { bigint: true }));
  const file = await open(path, 'r');
  try {
    const stats = await file.stat({ bigint: true });
    const isBlockDevice = stats.isBlockDevice();
    const sizeBytes = isBlockDevice ? await findDeviceSize(file) : Number(stats.size);
    const opened = { path, file, sizeBytes, isBlockDevice };
    return new JsReader(opened, request.slotCount, clipRange(request, sizeBytes));
  } catch (error) {
    await file.close();
    throw error;
  }
}

function checkKind(stats: BigIntStats): void {
  if (stats.isFile() || stats.isBlockDevice()) return;
  const errno = stats.isDirectory() ? constants.errno.EISDIR : NOT_SEEKABLE_ERRNO;
  throw Object.assign(new Error('Neither a file nor a block device'), { errno, syscall: 'open' });
}

/** Finds where a block device ends, by reading: Node has no call that tells. Takes some 90 reads of one sector. */
async function findDeviceSize(file: FileHandle): Promise<number> {
  const sector = Buffer.alloc(512);
  const hasSector = async (index: number): Promise<boolean> =>
    (await file.read(sector, 0, 512, index * 512)).bytesRead > 0;
  let known = 0;
  let beyond = 1;
  while (await hasSector(beyond - 1)) {
    known = beyond;
    beyond *= 2;
  }
  while (beyond - known > 1) {
    const middle = Math.floor((known + beyond) / 2);
    if (await hasSector(middle - 1)) known = middle;
    else beyond = middle;
  }
  return known * 512;
}

function factsOf(block: Uint8Array): BlockFacts {
  const isZero = ZERO_BLOCK_DATA.equals(block);
  return { isZero, digest: isZero ? ZERO_BLOCK_DIGEST : sha256(block) };
}

function toBlock(index: number, lease: Lease): Block {
  if (ZERO_BLOCK_DATA.equals(lease.bytes)) {
    lease.release();
    return zeroBlock(index, 'zero');
  }
  const data = lease.bytes;
  return { index, kind: 'data', data, digest: sha256(data), release: () => lease.release() };
}

function toFailure(error: unknown, offset: number): SourceFailure {
  const { errno, syscall = 'open' } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  return { errno: Math.abs(errno), syscall, offset };
}
