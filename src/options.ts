import type { EBSClient, StartSnapshotCommandInput } from '@aws-sdk/client-ebs';
import type { Readable } from 'node:stream';
import type {
  CopyEvents,
  Listeners,
  RestoreEvents,
  StartEvents,
  UploadEvents,
  VerifyEvents,
} from './events.ts';
import type { MappedRange } from './source/changed-map.ts';

/** Bytes of block buffers held at one time when the caller sets no bound: 256 blocks. */
export const DEFAULT_IN_FLIGHT_BYTES = 128 * 1024 * 1024;

/** Caps on what a job may use. */
export interface Limits {
  /** Bytes of block buffers held at one time, at least one block (524,288). Default 128 MiB. */
  readonly maxInFlightBytes?: number;
  /** Requests a second, retries included. Default: no cap; the service's quotas are found and kept to. */
  readonly maxRequestsPerSecond?: number;
  /** Bytes of blocks a second, retries included. Default: no cap. */
  readonly maxBytesPerSecond?: number;
}

/** Which engine reads and hashes: the addon, plain Node, or the first that loads (announced when it is not the addon). */
export type EngineChoice = 'auto' | 'native' | 'js';

/**
 * Over which sockets requests go: the library's own, or the SDK client's. A client that has a request handler, agent,
 * signer or middleware of its own is always used as it is.
 */
export type TransportChoice = 'lean' | 'sdk';

/** What every job takes. */
export interface JobOptions extends Limits {
  /** An SDK client; its region, endpoint and credentials rule. Default: made from the environment, and closed at the end. */
  readonly client?: EBSClient;
  /** Stops the job: requests are dropped at once and an AbortError is raised. */
  readonly signal?: AbortSignal;
  /** Default 'auto'. */
  readonly engine?: EngineChoice;
  /** Default 'lean'. */
  readonly transport?: TransportChoice;
}

/** Options of {@link SnapshotWriter}. */
export interface SnapshotWriterOptions extends JobOptions {
  /** StartSnapshot's own parameters, verbatim. A ClientToken is made when none is given. */
  readonly params: StartSnapshotCommandInput;
  /**
   * 'write' (default, always right) sends zero blocks as blocks; 'omit' leaves them out, which is refused with a
   * parent, with encryption, or when the account encrypts by default.
   */
  readonly zeroBlocks?: 'write' | 'omit';
  /** 'completed' (default): done when the snapshot can be read. 'accepted': done when CompleteSnapshot was accepted. */
  readonly waitUntil?: 'accepted' | 'completed';
  /**
   * Reads the snapshot back once it is readable, and compares every block with what was acknowledged: done when they are
   * equal. Not together with `waitUntil: 'accepted'`. Default false.
   */
  readonly verify?: boolean;
  /** Bytes that the source will bring, where that is known: the total of `progress`. */
  readonly sourceSizeBytes?: number;
  /**
   * What becomes of a snapshot that could not be finished. Default 'keep'. 'delete' needs ec2:DeleteSnapshot, and
   * closing waits for it, up to ten seconds.
   */
  readonly onFailure?: 'keep' | 'delete';
  /**
   * A file that remembers what the service has of each block, so that an upload goes on after whatever stopped it. It is
   * made, and an existing one never written over; not together with `onFailure: 'delete'`.
   */
  readonly manifest?: string;
  /** Goes on with the upload of an existing `manifest`, and sends only what differs from it. Default false. */
  readonly resume?: boolean;
  /**
   * A snapshot that was started already (`startSnapshot`), of which this upload writes a part: its `range`. It is not
   * completed then; `completeSnapshot` does that from the manifests of all parts. Needs `range` and `manifest`, and takes
   * no `params` but VolumeSize.
   */
  readonly snapshotId?: string;
  /** The blocks that are this part's to write, all of them: zeros behind the end of the source included. */
  readonly range?: BlockRange;
  /** The manifest of `params.ParentSnapshotId`: only blocks that differ from the parent are sent. Needs `manifest`. */
  readonly base?: string;
}

/** Options of {@link uploadSnapshot}. */
export interface UploadOptions extends Omit<SnapshotWriterOptions, 'params' | 'sourceSizeBytes'> {
  /** A path to a file or block device, or a stream of bytes. */
  readonly source: string | Readable | AsyncIterable<Uint8Array>;
  /** As for SnapshotWriter. VolumeSize defaults to the source's size, rounded up to a GiB; a stream needs it. */
  readonly params?: Omit<StartSnapshotCommandInput, 'VolumeSize'> & { VolumeSize?: number };
  /**
   * Which ranges of a file or device have changed since `params.ParentSnapshotId`: nothing else is read, and what is not
   * named stays the parent's. Ranges in any order, or a file or stream of them as `qemu-img map --output=json` prints it.
   */
  readonly changed?: string | Readable | readonly MappedRange[];
  readonly on?: Listeners<StartEvents & UploadEvents>;
}

/** Options of {@link SnapshotReader}. */
export interface SnapshotReaderOptions<
  As extends 'blocks' | 'bytes' = 'blocks' | 'bytes',
> extends JobOptions {
  readonly snapshotId: string;
  /**
   * What is read: 'blocks' (default), each with its digest and to be released, or 'bytes', the volume in Buffers of at most
   * 512 KiB that are the reader's no more.
   */
  readonly as?: As;
  /** The part to read, cut where the volume ends: bytes only with `as: 'bytes'`. Default: the whole volume. */
  readonly range?: ByteRange | BlockRange;
  /**
   * Blocks that the snapshot does not hold, with `as: 'blocks'`: 'hole' (default, always right) hands each on as a block of
   * zeros of that kind, 'omit' leaves them out. Bytes bring their zeros in any case.
   */
  readonly absentBlocks?: 'hole' | 'omit';
}

/** Options of SnapshotFile.open; `maxInFlightBytes` holds for the blocks kept and those on their way together. */
export interface SnapshotFileOptions extends JobOptions {
  readonly snapshotId: string;
}

/** Options of {@link restoreSnapshot}. */
export interface RestoreOptions extends JobOptions {
  readonly snapshotId: string;
  /** A path to a file or block device, or a Writable that takes the volume's bytes in order. */
  readonly target: string | NodeJS.WritableStream;
  /** Says that the target reads as zeros, so that absent and zero blocks need no clearing. Default false. */
  readonly targetIsZero?: boolean;
  /** Lets an existing file be written over. Block devices always need it. Default false. */
  readonly force?: boolean;
  /**
   * A file that remembers what has been written to the target, which must be a path. A restore that was stopped, by
   * whatever it was, goes on with it when it is called again: what it wrote is read and compared, the rest brought. It is
   * removed when all is done.
   */
  readonly manifest?: string;
  /** Keeps the `manifest` when all is done: the `base` of a restore of a later snapshot to the same target. */
  readonly keepManifest?: boolean;
  /**
   * The manifest of what the target holds: an older restore's that was kept, or that of the upload which it was read for.
   * Blocks that have not changed since that snapshot are read from the target and compared; only the others are brought.
   * Needs `manifest`, which may be the same file.
   */
  readonly base?: string;
  readonly on?: Listeners<StartEvents & RestoreEvents>;
}

/** Options of {@link diffSnapshots}. */
export interface DiffOptions extends JobOptions {
  /** What is compared with. */
  readonly firstSnapshotId: string;
  /** What is compared: ranges tell what has become of the first in it. */
  readonly secondSnapshotId: string;
  /**
   * Reads what was written in either snapshot, and leaves out what is the same on both sides. Snapshots that are not related are always
   * compared so, all of their blocks. Default false.
   */
  readonly byDigest?: boolean;
  readonly on?: Listeners<StartEvents & RestoreEvents>;
}

/**
 * Options of {@link verifySnapshot}: `snapshotId` alone, with `source` or with `manifest`; or `source`, `manifest` and
 * `offline`.
 */
export interface VerifyOptions extends JobOptions {
  readonly snapshotId?: string;
  /** A path to a file or block device, or a stream of bytes, that the snapshot should equal, zeros behind its end. */
  readonly source?: string | Readable | AsyncIterable<Uint8Array>;
  /** The manifest of the upload that made the snapshot. */
  readonly manifest?: string;
  /** Asks the service for nothing: compares `source` with `manifest`, which must be of `snapshotId` if that is given. Default false. */
  readonly offline?: boolean;
  readonly on?: Listeners<StartEvents & VerifyEvents>;
}

/** Options of {@link copySnapshot}. */
export interface CopyOptions extends JobOptions {
  /** The snapshot to copy; `client` is the one to read it with. */
  readonly snapshotId: string;
  /** Where to copy it to, at least one. */
  readonly targets: readonly CopyTarget[];
  readonly on?: Listeners<StartEvents & CopyEvents>;
}

/** A snapshot that a copy makes: options of a SnapshotWriter, the client being of the region and account to write to. */
export interface CopyTarget extends Pick<
  SnapshotWriterOptions,
  'client' | 'transport' | 'manifest' | 'resume' | 'base' | 'verify' | 'waitUntil' | 'onFailure'
> {
  /** As for SnapshotWriter. VolumeSize defaults to the source's. */
  readonly params?: Partial<StartSnapshotCommandInput>;
}

/** Options of {@link startSnapshot}. */
export interface StartOptions extends Pick<JobOptions, 'client' | 'signal' | 'transport'> {
  /** StartSnapshot's own parameters, verbatim. A ClientToken is made when none is given. */
  readonly params: StartSnapshotCommandInput;
}

/** Options of {@link completeSnapshot}. */
export interface CompleteOptions extends Pick<JobOptions, 'client' | 'signal' | 'transport'> {
  readonly snapshotId: string;
  /** The manifests of all parts, in any order. They must not be in use. */
  readonly manifests: readonly string[];
  /** As for an upload. */
  readonly waitUntil?: 'accepted' | 'completed';
}

/** Options of {@link rebuildManifest}. */
export interface RebuildOptions extends JobOptions {
  /** A completed snapshot, whoever made it. */
  readonly snapshotId: string;
  /** The file to make. An existing one is never written over. */
  readonly manifest: string;
  /** Goes on with a `manifest` that an earlier call began, and reads only what it does not have. Default false. */
  readonly resume?: boolean;
  readonly on?: Listeners<StartEvents & RestoreEvents>;
}

/** What an upload came to. */
export interface SnapshotResult {
  readonly snapshotId: string;
  /**
   * 'completed': readable. 'pending': accepted, and `waitUntil: 'accepted'` asked for no more. 'sent': all blocks of a part
   * are acknowledged, and the snapshot waits for the other parts.
   */
  readonly status: 'completed' | 'pending' | 'sent';
  readonly volumeSizeGiB: number;
  /** Distinct blocks acknowledged: what CompleteSnapshot was told; of a part, its own. */
  readonly changedBlocksCount: number;
  /** Base64 of the aggregate digest that CompleteSnapshot was told; of a part, that of its own blocks. */
  readonly checksum: string;
  /** Bytes of the source, holes included, or of the blocks that `changed` names; 0 when only the end of an earlier run was missing. */
  readonly bytesRead: number;
  /** Bytes of acknowledged PUTs. */
  readonly bytesSent: number;
  readonly zeroBlocks: number;
  readonly omittedBlocks: number;
  /** Blocks not sent because the snapshot had them, from an earlier run or its parent. */
  readonly unchangedBlocks: number;
  readonly retries: number;
  readonly elapsedMs: number;
}

/** What completing a snapshot came to. */
export interface CompleteResult extends Pick<
  SnapshotResult,
  'snapshotId' | 'volumeSizeGiB' | 'changedBlocksCount' | 'checksum' | 'retries' | 'elapsedMs'
> {
  readonly status: 'completed' | 'pending';
  /** Manifests that it was made from. */
  readonly partsCount: number;
}

/** What a restore came to. */
export interface RestoreResult {
  readonly snapshotId: string;
  readonly volumeSizeGiB: number;
  /** Bytes of the target now equal to the volume. */
  readonly bytesWritten: number;
  /** Blocks read from the service, each checked against its digest. */
  readonly blocksRead: number;
  /** Blocks absent from the snapshot: cleared, or skipped on a target said to be zero. */
  readonly absentBlocks: number;
  /** Blocks that the target had already, from an earlier run or its base: read there and compared. */
  readonly unchangedBlocks: number;
  readonly retries: number;
  readonly elapsedMs: number;
}

/** A range in which a snapshot differs from another, in the words of `qemu-img map` for the second of them. */
export interface ChangedRange {
  /** Bytes from the start of the volume. */
  readonly start: number;
  /** Bytes; a multiple of BLOCK_SIZE. */
  readonly length: number;
  /** Whether the second snapshot holds blocks there. */
  readonly present: boolean;
  /** Whether they may have data. */
  readonly data: boolean;
  /** Whether they read as zeros; false as long as that is not known. */
  readonly zero: boolean;
  /**
   * `added`: held by the second alone. `removed`: by the first alone. `changed`: by both. `zeroed`: changed to zeros, which
   * only a comparison by digests tells.
   */
  readonly change: 'added' | 'changed' | 'zeroed' | 'removed';
}

/** What a comparison of two snapshots came to. */
export interface DiffSummary {
  readonly firstSnapshotId: string;
  readonly secondSnapshotId: string;
  readonly firstVolumeSizeGiB: number;
  readonly secondVolumeSizeGiB: number;
  /** Whether the two are of one lineage. */
  readonly isRelated: boolean;
  /** Whether contents were compared: `byDigest` asked for it, or the two are not related. */
  readonly byDigest: boolean;
  /** Whether no range differs, and the volumes are of one size. */
  readonly isEqual: boolean;
  readonly changedBlocks: number;
  readonly changedBytes: number;
  /** Blocks read from either snapshot, each checked against its digest. */
  readonly blocksRead: number;
  readonly retries: number;
  readonly elapsedMs: number;
}

/** A range that is not as expected. */
export interface DifferingRange {
  /** Bytes from the start of the volume. */
  readonly start: number;
  /** Bytes; whole blocks, but for `beyond`. */
  readonly length: number;
  /**
   * `content`: the bytes are others. `corrupt`: the service sends bytes that never match their digest. `unknown`: the manifest does
   * not know what was sent, as where it was damaged. `beyond`: the source is longer than the volume.
   */
  readonly fault: 'content' | 'corrupt' | 'unknown' | 'beyond';
}

/** What a comparison came to. */
export interface VerifyResult {
  /** Absent where neither the options nor the manifest name one. */
  readonly snapshotId?: string;
  readonly isEqual: boolean;
  readonly volumeSizeGiB: number;
  /** Bytes of the source, where there was one. */
  readonly sourceSizeBytes?: number;
  readonly differingBytes: number;
  readonly differingRanges: number;
  /** The first hundred of them. */
  readonly differences: readonly DifferingRange[];
  /** Blocks that may be a parent's, of which the manifest knows nothing; they were compared with their own digest alone. */
  readonly uncheckedBlocks: number;
  /** Blocks read from the service, each checked against its digest. */
  readonly blocksRead: number;
  readonly retries: number;
  readonly elapsedMs: number;
}

/** What became of one target of a copy: one of the two. */
export interface CopyOutcome {
  readonly result?: SnapshotResult;
  readonly error?: Error;
}

/** What a copy came to. */
export interface CopyResult {
  /** The snapshot that was copied. */
  readonly snapshotId: string;
  readonly volumeSizeGiB: number;
  /** In the order of the options; at least one has a result. */
  readonly targets: readonly CopyOutcome[];
  /** Blocks read from the source, once for all targets. */
  readonly blocksRead: number;
  /** Blocks that the source does not hold. */
  readonly absentBlocks: number;
  /** Attempts to read that were repeated. */
  readonly retries: number;
  readonly elapsedMs: number;
}

/** A run of bytes of a volume. Cut where the volume ends. */
export interface ByteRange {
  /** Bytes from the start of the volume; any alignment. */
  readonly offset: number;
  /** Bytes. Default: to the end. */
  readonly length?: number;
}

/** What the building of a manifest came to. */
export interface RebuildResult {
  readonly snapshotId: string;
  readonly volumeSizeGiB: number;
  /** Blocks read from the service, each checked against its digest. */
  readonly blocksRead: number;
  /** Blocks that neither the snapshot nor an ancestor holds. */
  readonly absentBlocks: number;
  /** Blocks not read, since an earlier call had read them. */
  readonly unchangedBlocks: number;
  readonly retries: number;
  readonly elapsedMs: number;
}

/** Blocks `firstBlock` ≤ index < `endBlock`. */
export interface BlockRange {
  /** Default 0. */
  readonly firstBlock?: number;
  /** The first block behind the range. Default: the end of the volume. */
  readonly endBlock?: number;
}
