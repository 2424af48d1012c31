export { BlockReader, type BlockReaderOptions } from './block-reader.ts';
export { BLOCK_SIZE } from './base/constants.ts';
export {
  CompletionError,
  ERROR_CODES,
  IntegrityError,
  ManifestError,
  ServiceError,
  SnapshotError,
  SourceError,
  TargetError,
  ThrottleError,
  TransportError,
  type ErrorCode,
  type ManifestHolder,
} from './base/errors.ts';
export { diffSnapshots, type SnapshotDiff } from './diff.ts';
export type { Block, BlockKind } from './engine/engine.ts';
export type {
  Listeners,
  Progress,
  ReaderEvents,
  RestoreEvents,
  RetryEvent,
  SnapshotVolume,
  StartEvents,
  ThrottleEvent,
  UploadEvents,
  WindowEvent,
} from './events.ts';
export type { Job, JobState } from './job.ts';
export type {
  BlockRange,
  ByteRange,
  ChangedRange,
  DiffOptions,
  DiffSummary,
  EngineChoice,
  JobOptions,
  Limits,
  RestoreOptions,
  RestoreResult,
  SnapshotReaderOptions,
  SnapshotResult,
  SnapshotWriterOptions,
  TransportChoice,
  UploadOptions,
} from './options.ts';
export type { BlockInput } from './pipeline/block-intake.ts';
export type { Brake } from './pipeline/limiter.ts';
export { restoreSnapshot } from './restore.ts';
export { SnapshotReader } from './snapshot-reader.ts';
export { SnapshotWriter } from './snapshot-writer.ts';
export { makeClient } from './transport/make-client.ts';
export { uploadSnapshot } from './upload.ts';
