/**
 * What native/ exports. A flat binding: numbers and arrays, no options of its own, nothing checked twice; the classes
 * in this folder make an engine of it.
 */
export interface NativeBinding {
  /** Must equal BINDING_VERSION: an addon built from other sources may not be called. */
  readonly version: number;
  /** Names of the SHA-256 kernels that this CPU can run, the fastest first. */
  readonly sha256Kernels: readonly string[];
  /** Names of the zero-scan kernels that this CPU can run, the fastest first. */
  readonly zeroScanKernels: readonly string[];
  readonly BlockReader: new (setup: NativeReaderSetup) => NativeReaderHandle;
  readonly BlockWriter: new (setup: NativeWriterSetup) => NativeWriterHandle;
  readonly BlockInspector: new (setup: NativeInspectorSetup) => NativeInspectorHandle;
  /**
   * Bytes from the start of `memory` to the first page border in it, 0 to 4095. Asks the system to back it with huge
   * pages, where there are any.
   */
  alignSlots(memory: Uint8Array): number;
  /**
   * SHA-256 of messages of equal length on the calling thread, as many side by side as the kernel takes; 32 bytes
   * each. For tests and benchmarks.
   */
  sha256(kernel: number, messages: readonly Uint8Array[]): Uint8Array;
  /** Whether every byte is zero, on the calling thread. For tests and benchmarks. */
  isZero(kernel: number, bytes: Uint8Array): boolean;
  /**
   * Bounds what the kernel takes in unread for connections that a listening socket accepts from now on; segments of 0
   * bytes are as large as the device has them. Returns the errno, 0 for success. For the local service.
   */
  limitReceiveWindow(listeningFd: number, windowBytes: number, segmentBytes: number): number;
  /** Bytes on a TCP socket that the other side has not acknowledged yet; -1 where that cannot be told. */
  unacknowledgedBytes(fd: number): number;
  /**
   * Takes the exclusive lock of an open file, flock(2), without waiting. Returns the errno: 0 for success, EWOULDBLOCK
   * when another has it.
   */
  readonly lockFile: (fd: number) => number;
}

/** Which kernels to use: indices into the binding's lists. */
export interface NativeKernels {
  readonly sha256Kernel: number;
  readonly zeroScanKernel: number;
}

/** What a native reader is made from. */
export interface NativeReaderSetup extends NativeKernels {
  readonly path: string;
  readonly firstBlock: number;
  /** Infinity for all to the end. */
  readonly blockCount: number;
  /** The first byte of slot 0, on a page border; the slots follow one another. Kept alive until the threads are gone. */
  readonly memory: Uint8Array;
  readonly slotCount: number;
  readonly threadCount: number;
}

/** An open reader in native code. Everything is called from the thread that made it. */
export interface NativeReaderHandle {
  /** What the file is, or why it could not be opened; undefined while it is being opened. */
  opened(): NativeSourceInfo | NativeFailure | undefined;
  /**
   * Reads only the blocks whose bits are set, the lowest bit of the first byte being block 0, and none behind them. Copies
   * the bits. Once, between `opened` and the first `take`.
   */
  select(bits: Uint8Array): void;
  /** Starts the reading; blocks that are ready, in index order, or the failure that comes next; undefined when none is ready. */
  take(): NativeBatch | NativeFailure | undefined;
  /** Calls back once, as soon as anything has changed since the last look at `opened`, `take` or `stopped`. */
  wait(callback: () => void): void;
  /** Gives a slot back for reading into. */
  giveBack(slot: number): void;
  /** Bounds how many slots may be taken at one time, at least 1; those beyond it are filled no more once they are back. */
  limitSlots(limit: number): void;
  /** Adds slots behind those there are, laid out as in the set-up. The limit rises with them. */
  addSlots(memory: Uint8Array, slotCount: number): void;
  /** Lets the threads finish their present read and end. */
  stop(): void;
  /** Whether the threads have ended and the file is closed. */
  stopped(): boolean;
  /** Drops the memory. Only after `stopped()`. */
  dispose(): void;
}

/** A file or device that was opened. */
export interface NativeSourceInfo {
  readonly sizeBytes: number;
  readonly isBlockDevice: boolean;
  readonly isDirect: boolean;
}

/** A system call that failed. */
export interface NativeFailure {
  readonly errno: number;
  readonly syscall: string;
  readonly offset: number;
}

/** Blocks in index order, without gaps unless some were selected. */
export interface NativeBatch {
  /**
   * Three numbers a run: the first block's index, how many blocks, and the slot that holds the one block, or
   * SLOT_OF_ZERO or SLOT_OF_HOLE for any number of blocks. Empty at the end.
   */
  readonly runs: Float64Array;
  /** 32 bytes for each run that has a slot, in the order of the runs. */
  readonly digests: Uint8Array;
}

/** In the place of a slot: blocks that were read and found zero. */
export const SLOT_OF_ZERO = -1;

/** In the place of a slot: blocks that the source never allocated. */
export const SLOT_OF_HOLE = -2;

/** What a native writer is made from. */
export interface NativeWriterSetup {
  /** Open for writing. Native code works on duplicates of it, so that it may be closed by its owner at any time. */
  readonly fd: number;
  readonly threadCount: number;
}

/**
 * An open writer in native code. Each call is answered by its callback, with a failure if there was one; calls that touch
 * the same bytes must wait for each other.
 */
export interface NativeWriterHandle {
  /** Why the descriptor cannot be used; undefined if it can. */
  failure(): NativeFailure | undefined;
  /** Whether aligned writes by-pass the page cache. */
  isDirect(): boolean;
  /** Writes bytes whole. Keeps `bytes`, which must not be changed, until the callback. */
  write(bytes: Uint8Array, offset: number, callback: WriterCallback): void;
  /** Makes a range read as zeros, with no disk space of its own where the file system can. */
  clear(offset: number, length: number, callback: WriterCallback): void;
  /** Makes everything written so far outlive the machine; goes before what waits. */
  sync(callback: WriterCallback): void;
  /** Ends the threads and closes the file. Only when nothing is outstanding. */
  close(): void;
}

/** Told how a call ended. */
export type WriterCallback = (failure?: NativeFailure) => void;

/** How many threads may hash at a time. */
export interface NativeInspectorSetup {
  readonly threadCount: number;
}

/** Threads that scan and hash memory; they end when nothing is left to do. */
export interface NativeInspectorHandle {
  /**
   * Calls back with one byte a block, 1 for zero, and 32 bytes a block: its digest, or anything where it is zero. Keeps
   * `blocks`, which must not be changed, until then.
   */
  inspect(
    blocks: readonly Uint8Array[],
    kernels: NativeKernels,
    callback: (zeroFlags: Uint8Array, digests: Uint8Array) => void,
  ): void;
  /**
   * The same for one block, which the thread that hashed it also writes if it is the one expected: calls back when it is
   * written or found to be another, or with what went wrong.
   */
  save(
    block: Uint8Array,
    kernels: NativeKernels,
    destination: NativeBlockDestination,
    callback: (zeroFlags: Uint8Array, digests: Uint8Array, failure?: NativeFailure) => void,
  ): void;
}

/** Where a block goes. */
export interface NativeBlockDestination {
  /** Stays open until the callback. */
  readonly fd: number;
  readonly offset: number;
  /** 32 bytes; empty for the zero block, whose digest native code does not know. */
  readonly expectedDigest: Uint8Array;
}

/** Raised whenever this interface changes in a way that older builds of the addon do not know. */
export const BINDING_VERSION = 8;
