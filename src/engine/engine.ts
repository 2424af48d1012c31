import type { FileHandle } from 'node:fs/promises';
import type { BlockSet } from './block-set.ts';

/** What a block of the source was found to be: data, read as zeros, or never allocated. */
export type BlockKind = 'data' | 'zero' | 'hole';

/** One block of a source on its way to a snapshot. */
export interface Block {
  /** 0-based position in the volume. */
  readonly index: number;
  readonly kind: BlockKind;
  /** BLOCK_SIZE bytes, a short tail padded with zeros. For `zero` and `hole` the one shared zero block. */
  readonly data: Uint8Array;
  /** SHA-256 of `data`, 32 bytes. */
  readonly digest: Uint8Array;
  /** Gives the buffer back to its pool; `data` must not be touched afterwards. Idempotent. */
  release(): void;
}

/** What one pass over a block tells. */
export interface BlockFacts {
  readonly isZero: boolean;
  /** SHA-256 of the block, 32 bytes. */
  readonly digest: Uint8Array;
}

/** Where a block is to be written, and which block that has to be. */
export interface BlockDestination {
  /** An open file; the caller closes it, after the promise has settled. */
  readonly fd: number;
  /** Byte of the file at which the block begins. */
  readonly offset: number;
  /** 32 bytes. A block of another digest is not written. */
  readonly expectedDigest: Uint8Array;
}

/** How a file or device is to be read. */
export interface ReadOptions {
  /** First block to read. Default 0. */
  readonly firstBlock?: number;
  /** Blocks to read; a range past the end is cut there. Default: to the end. */
  readonly blockCount?: number;
  /** Bytes of buffers that may be filled and not yet released; at least one block. Default DEFAULT_BUFFER_BYTES. */
  readonly maxBufferBytes?: number;
}

/** An open file or block device, read block by block in index order by threads of its own. */
export interface EngineReader {
  readonly path: string;
  /** Bytes in the file or device. */
  readonly sizeBytes: number;
  readonly isBlockDevice: boolean;
  /** True when reads by-pass the page cache (O_DIRECT). */
  readonly isDirect: boolean;
  /**
   * Reads only these of the blocks that were asked for; the others are not looked at. Once, before the first `next`. The
   * set must not change afterwards.
   */
  select(blocks: BlockSet): void;
  /**
   * Returns the next blocks in index order, at least one; an empty array at the end. Waits while every buffer is
   * leased, so releasing blocks is what keeps it going. One call at a time.
   * @throws {SourceError} with path, offset and errno when a read fails; the reader is then of no more use.
   */
  next(): Promise<readonly Block[]>;
  /**
   * Changes how many bytes of buffers may be filled and not yet released. More may be filled at once; with fewer,
   * buffers that are released stay unused until fewer are out.
   * @throws {RangeError} when it is not a positive number.
   */
  setMaxBufferBytes(maxBufferBytes: number): void;
  /** Stops the threads, then closes the file. Blocks already handed out stay valid until released. Idempotent. */
  close(): Promise<void>;
}

/** A run of bytes. */
export interface ByteRange {
  /** Bytes from the start of the file or device. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/**
 * An open file or block device, written in any order by threads of its own. Calls that touch the same bytes must wait for
 * each other. Failures are Node's own system errors, with `offset` beside `errno` and `syscall`.
 */
export interface EngineWriter {
  /** True when aligned writes by-pass the page cache (O_DIRECT). */
  readonly isDirect: boolean;
  /** Writes `data`, whole, at `offset` bytes from the start. `data` must not change until the call has ended. */
  write(offset: number, data: Uint8Array): Promise<void>;
  /** Makes a range read as zeros, where it can be without taking up space on the disk. */
  clear(range: ByteRange): Promise<void>;
  /** Makes everything that has been written so far outlive the machine. */
  sync(): Promise<void>;
  /** Waits for what is outstanding and lets go of the file. Idempotent. */
  close(): Promise<void>;
}

/** Reads, zero-scans, hashes and writes off the JavaScript thread. */
export interface Engine {
  readonly name: 'native' | 'js';
  /**
   * Opens a regular file or block device.
   * @throws {SourceError} when it is missing, a folder, not readable, or neither a file nor a block device.
   */
  openReader(path: string, options?: ReadOptions): Promise<EngineReader>;
  /**
   * Makes a writer of an open file or device. `handle` stays the caller's, who keeps it open until the writer is closed.
   */
  openWriter(handle: FileHandle): EngineWriter;
  /** Returns how many bytes behind the start of a memory blocks must begin to be written without a copy. */
  alignSlots(memory: Uint8Array): number;
  /** Zero-scans and hashes blocks of BLOCK_SIZE bytes each; result i is of block i. The buffers must not change meanwhile. */
  inspect(blocks: readonly Uint8Array[]): Promise<BlockFacts[]>;
  /**
   * Hashes a block, compares its digest with the one expected, and writes it if it is that one. Resolves to what the block
   * is when its bytes are the kernel's, or when nothing was written because it is another. The buffer must not change meanwhile.
   * @throws {Error} of the system, with errno, code and syscall, when the write fails.
   */
  save(block: Uint8Array, destination: BlockDestination): Promise<BlockFacts>;
}
