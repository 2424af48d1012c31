import type { Job } from './job.ts';
import type { DifferingRange } from './options.ts';
import type { Brake } from './pipeline/limiter.ts';
import type { WindowState } from './pipeline/window-watch.ts';
import type { StartSnapshotAnswer } from './transport/transport.ts';

/** How far an upload or a restore has come. Emitted at most ten times a second, and once at the end. */
export interface Progress {
  /** Bytes dealt with: of the source, acknowledged, omitted or unchanged (upload); of the volume, written or cleared (restore). */
  readonly bytesDone: number;
  /** Bytes there are in all; absent while a stream's length is unknown. */
  readonly bytesTotal?: number;
  /** Bytes of acknowledged PUTs, or of GETs that arrived whole. */
  readonly bytesTransferred: number;
  /** Blocks acknowledged, or read back, zero blocks included. */
  readonly blocksTransferred: number;
  /** Blocks found all zero or never allocated. */
  readonly zeroBlocks: number;
  /** Blocks not sent at all (`zeroBlocks: 'omit'`), or absent from the snapshot. */
  readonly omittedBlocks: number;
  /**
   * Blocks not sent because the snapshot has them, from an earlier run or its parent; or not read because the target of a
   * restore, or the manifest that is built, has them.
   */
  readonly unchangedBlocks: number;
  /** Bytes read back and compared; absent before that begins. */
  readonly bytesVerified?: number;
  /** Requests under way now. */
  readonly inFlight: number;
  /** What has kept the job from being faster for most of the last seconds; absent before its first block. */
  readonly limitedBy?: Brake;
  /** Attempts repeated so far. */
  readonly retries: number;
  /** Milliseconds since the job began. */
  readonly elapsedMs: number;
}

/** One attempt that failed and will be repeated. */
export interface RetryEvent {
  readonly operation: string;
  readonly blockIndex?: number;
  /** The attempt that failed, counted from 1. */
  readonly attempt: number;
  /** Milliseconds until the next. Longer for a block of a snapshot that is not yet known everywhere, if another asks for it. */
  readonly delayMs: number;
  readonly error: Error;
}

/** The service asked to slow down. */
export interface ThrottleEvent {
  readonly scope: 'snapshot' | 'account';
  readonly operation: string;
}

/** How much may be under way, and what keeps it from being more: why a job is as slow as it is. */
export type WindowEvent = WindowState;

/** What happens on the way of an upload. */
export interface UploadEvents {
  /** StartSnapshot's answer, the moment it is known. */
  snapshot: StartSnapshotAnswer;
  progress: Progress;
  retry: RetryEvent;
  throttle: ThrottleEvent;
  /** When the window, a learned quota or what limits has changed noticeably; at most ten times a second. */
  window: WindowEvent;
}

/** What happens on the way of a restore. */
export type RestoreEvents = Pick<UploadEvents, 'progress' | 'retry' | 'throttle' | 'window'>;

/** What a SnapshotReader tells beside what every Readable does. */
export interface ReaderEvents extends RestoreEvents {
  /** The snapshot was found readable, and its size is known. */
  ready: SnapshotVolume;
}

/** The volume that a snapshot is of. */
export interface SnapshotVolume {
  readonly snapshotId: string;
  readonly volumeSizeGiB: number;
}

/** What happens on the way of a comparison. */
export interface VerifyEvents extends RestoreEvents {
  /** A range that is not as expected, as soon as it has ended; in ascending order. */
  difference: DifferingRange;
}

/** What happens on the way of a copy; the rest is told of the reading side. */
export interface CopyEvents extends RestoreEvents {
  /** StartSnapshot's answer for one of the targets, the moment it is known. */
  snapshot: { readonly target: number; readonly answer: StartSnapshotAnswer };
}

/** What the functions tell beside that. */
export interface StartEvents {
  /** The job under way, once, before the service is called: to look at it, and to change its limits. */
  start: Job;
}

/** Listeners by event name, as `uploadSnapshot` and `restoreSnapshot` take them. */
export type Listeners<Events> = { readonly [Name in keyof Events]?: (event: Events[Name]) => void };
