import type { ByteRange, Engine } from '../engine/engine.ts';

/** Where a restore puts the bytes of a volume. Every failure is a TargetError, or the signal's AbortError. */
export interface Target {
  /** What messages call it: its path in quotes, or "the output stream". */
  readonly name: string;
  /** True when bytes must come from first to last; false when any order, and several writes at a time, will do. */
  readonly isInOrder: boolean;
  /** True when every byte not yet written reads as zero, so that absent and zero blocks are left out. */
  readonly isZero: boolean;
  /**
   * Writes `data`, whole, at `offset` bytes from the start. `data` must not change until the call has ended and may
   * be used again afterwards.
   */
  write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void>;
  /**
   * Makes a range read as zeros, as a hole where there can be one, or writes zeros to a stream. Never needed on a target
   * that `isZero`.
   */
  clear(range: ByteRange, signal?: AbortSignal): Promise<void>;
  /** Makes durable what has been written so far; a stream has nothing to do. Others may be writing meanwhile. */
  sync(): Promise<void>;
  /** Makes everything written durable and closes the target. Last call; no write may be outstanding. */
  finish(signal?: AbortSignal): Promise<void>;
  /**
   * Closes the target after a failure: a file that the restore created is removed unless it `isKept`, a stream is
   * destroyed with `reason`. Never rejects. No write may be outstanding; may follow a `finish` that failed.
   */
  abort(reason: Error, options?: { readonly isKept?: boolean }): Promise<void>;
}

/** How a target is to be treated. */
export interface TargetOptions {
  /** What writes to it. */
  readonly engine: Engine;
  /** Lets an existing file be written over. Block devices always need it. */
  readonly force: boolean;
  /** The caller's word that the target reads as zeros. */
  readonly targetIsZero: boolean;
  /**
   * Keeps what is there: an existing file is not emptied, since its blocks are going to be looked at. `isOurs`: it is one
   * that an earlier restore made, and may be written over without `force`.
   */
  readonly keeps?: { readonly isOurs: boolean } | undefined;
}

/** A target that was looked at and may be opened; nothing has been changed yet. */
export interface TargetPlan {
  /**
   * Opens, and for a file creates or empties, a target for exactly `sizeBytes`. Leaves nothing behind when it fails.
   * @throws {TargetError} ERR_EBS_TARGET_OPEN, ERR_EBS_TARGET_EXISTS, ERR_EBS_TARGET_SIZE or ERR_EBS_TARGET_WRITE.
   */
  open(sizeBytes: number): Promise<Target>;
}
