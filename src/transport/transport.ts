import type { StartSnapshotRequest, StartSnapshotResponse } from '@aws-sdk/client-ebs';

/** StartSnapshot's answer, whole, in the SDK's own type. */
export type StartSnapshotAnswer = StartSnapshotResponse & { readonly SnapshotId: string };

/** One block to write. */
export interface PutBlockRequest {
  readonly snapshotId: string;
  readonly blockIndex: number;
  /** BLOCK_SIZE bytes; must not change until the call has ended. */
  readonly data: Uint8Array;
  /** SHA-256 of `data`, 32 bytes; sent as checksum and as payload hash, so that no body is hashed twice. */
  readonly digest: Uint8Array;
}

/** What CompleteSnapshot takes. */
export interface CompleteSnapshotRequest {
  readonly snapshotId: string;
  /** Distinct block indices acknowledged in this snapshot. */
  readonly changedBlocksCount: number;
  /** SHA-256 over the binary digests in ascending index order (LINEAR), 32 bytes. */
  readonly aggregateDigest: Uint8Array;
}

/** State of a snapshot as CompleteSnapshot tells it. */
export type SnapshotStatus = 'pending' | 'completed' | 'error';

/** What EC2 tells of a snapshot. */
export interface SnapshotDescription {
  readonly status: SnapshotStatus;
  /** Why it is in error, in EC2's words; empty otherwise. */
  readonly statusMessage: string;
  /** Undefined, as all below, where the answer does not tell. */
  readonly volumeSizeGiB: number | undefined;
  readonly isEncrypted: boolean | undefined;
  readonly startTime: Date | undefined;
  /** Bytes of all its blocks, the parent's included; of a completed snapshot alone. */
  readonly fullSizeBytes: number | undefined;
}

/** Where a listing starts: at a block, or where the page before ended. */
export interface ListBlocksRequest {
  readonly snapshotId: string;
  /** Ignored by the service when `pageToken` is given. Default 0. */
  readonly startingBlockIndex?: number;
  readonly pageToken?: string;
}

/** One page of ListSnapshotBlocks. Only an absent `nextPageToken` ends a listing; empty pages with one are legal. */
export interface BlockPage {
  readonly volumeSizeGiB: number;
  readonly blocks: readonly ListedBlock[];
  readonly nextPageToken?: string;
}

/** A block that a snapshot holds, and the token to read it with. */
export interface ListedBlock {
  readonly blockIndex: number;
  readonly blockToken: string;
}

/** Where a listing of changes starts: at a block, or where the page before ended. */
export interface ListChangedRequest {
  readonly firstSnapshotId: string;
  readonly secondSnapshotId: string;
  /** Ignored by the service when `pageToken` is given. Default 0. */
  readonly startingBlockIndex?: number;
  readonly pageToken?: string;
}

/**
 * One page of ListChangedBlocks. It is cut before what has not changed is left out, so that empty pages with a token are
 * common; only an absent `nextPageToken` ends a listing.
 */
export interface ChangedPage {
  readonly blocks: readonly ChangedBlock[];
  readonly nextPageToken?: string;
}

/** A block that was written in one of two snapshots since they parted, and the tokens to read both sides with. */
export interface ChangedBlock {
  readonly blockIndex: number;
  /** Absent where the first snapshot does not hold the block. */
  readonly firstToken?: string;
  /** Absent where the second snapshot does not hold the block. */
  readonly secondToken?: string;
}

/** One block to read. */
export interface GetBlockRequest extends ListedBlock {
  readonly snapshotId: string;
  /** BLOCK_SIZE bytes to read into; written to until the call has ended, and by no one else. Default: memory of its own. */
  readonly into?: Uint8Array;
}

/** A block as read: bytes, and the digest that the service states, not yet compared. */
export interface BlockAnswer {
  /** What `into` was, where that was given. */
  readonly data: Uint8Array;
  readonly digest: Uint8Array;
}

/**
 * Hears what happens on the wire during one attempt. Every member is optional, and nothing is measured for members
 * that are absent. The lean transport tells all of it; the SDK transport, which does not see its sockets, `onAnswer` alone.
 */
export interface AttemptObserver {
  /**
   * A socket was found for the attempt. `isFresh`: it was opened for it, rather than kept alive; `connectMs`: how long
   * TCP took to connect then, which is one round trip. Told again when a stale kept-alive socket was replaced.
   */
  onSocket?(facts: { isFresh: boolean; connectMs?: number }): void;
  /** The request begins to leave: head and body were handed to the socket. */
  onFirstByte?(): void;
  /**
   * Body bytes that have left so far. Sampled ten times a second while a body is leaving, and told only
   * when the count has grown: bodies are written whole, so most leave without it. On TLS the bytes of the records count.
   */
  onProgress?(bytesSent: number): void;
  /**
   * The last byte of the body has left: the other side has acknowledged it, where the addon can tell (looked at ten
   * times a second, and when the answer begins); else the kernel has accepted it.
   */
  onFlushed?(): void;
  /** Bytes of the answer have arrived: told for each piece, so that a download shows its progress. */
  onAnswer?(): void;
}

/** What every call takes beside its request. */
export interface CallOptions {
  /** Hears what happens on the wire. */
  readonly observer?: AttemptObserver | undefined;
  /** Aborts the call: its socket is destroyed and the promise rejects with an AbortError. */
  readonly signal?: AbortSignal | undefined;
  /** Called each time an attempt is let through the gate, if there is one. */
  readonly onAdmitted?: (() => void) | undefined;
  /** 1 for the first try; the retry layer counts on. Default 1. */
  readonly attempt?: number;
}

/** The name of a call, as the service spells it. */
export type Operation =
  | 'StartSnapshot'
  | 'PutSnapshotBlock'
  | 'CompleteSnapshot'
  | 'ListSnapshotBlocks'
  | 'ListChangedBlocks'
  | 'GetSnapshotBlock'
  | 'DeleteSnapshot'
  | 'DescribeSnapshots';

/**
 * The calls of the EBS direct APIs, one attempt each: no retry, no rate, no meaning. Every failure is a ServiceError,
 * a ThrottleError, a TransportError, or the signal's AbortError.
 */
export interface Transport {
  startSnapshot(request: StartSnapshotRequest, options?: CallOptions): Promise<StartSnapshotAnswer>;
  putSnapshotBlock(request: PutBlockRequest, options?: CallOptions): Promise<void>;
  completeSnapshot(
    request: CompleteSnapshotRequest,
    options?: CallOptions,
  ): Promise<SnapshotStatus>;
  listSnapshotBlocks(request: ListBlocksRequest, options?: CallOptions): Promise<BlockPage>;
  /** Refused with the reason UNRELATED_SNAPSHOTS when the two have no common ancestor. */
  listChangedBlocks(request: ListChangedRequest, options?: CallOptions): Promise<ChangedPage>;
  getSnapshotBlock(request: GetBlockRequest, options?: CallOptions): Promise<BlockAnswer>;
  /** EC2's DeleteSnapshot: the EBS direct APIs have no call to give a snapshot up. */
  deleteSnapshot(request: { readonly snapshotId: string }, options?: CallOptions): Promise<void>;
  /**
   * EC2's DescribeSnapshots for one snapshot: the EBS direct APIs do not tell a snapshot that was deleted from one that
   * was given up. Refused with `InvalidSnapshot.NotFound` when there is none.
   */
  describeSnapshot(
    request: { readonly snapshotId: string },
    options?: CallOptions,
  ): Promise<SnapshotDescription>;
  /**
   * Closes the sockets that the transport opened itself; those of a client handed in stay. Resolves when they are
   * closed.
   */
  close(): Promise<void>;
}
