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
export { copySnapshot } from './copy.ts';
export { diffSnapshots, type SnapshotDiff } from './diff.ts';
export type { Block, BlockKind } from './engine/engine.ts';
export type {
  CopyEvents,
  Listeners,
  Progress,
  ReaderEvents,
  RestoreEvents,
  RetryEvent,
  SnapshotVolume,
  StartEvents,
  ThrottleEvent,
  UploadEvents,
  VerifyEvents,
  WindowEvent,
} from './events.ts';
export type { Job, JobState } from './job.ts';
export type {
  BlockRange,
  ByteRange,
  ChangedRange,
  CopyOptions,
  CopyOutcome,
  CopyResult,
  CopyTarget,
  DiffOptions,
  DiffSummary,
  DifferingRange,
  CompleteOptions,
  CompleteResult,
  EngineChoice,
  JobOptions,
  Limits,
  RebuildOptions,
  RebuildResult,
  RestoreOptions,
  RestoreResult,
  SnapshotFileOptions,
  SnapshotReaderOptions,
  SnapshotResult,
  SnapshotWriterOptions,
  StartOptions,
  TransportChoice,
  UploadOptions,
  VerifyOptions,
  VerifyResult,
} from './options.ts';
export { completeSnapshot } from './complete-snapshot.ts';
export type { BlockInput } from './pipeline/block-intake.ts';
export type { Brake } from './pipeline/limiter.ts';
export type { MappedRange } from './source/changed-map.ts';
export { rebuildManifest } from './rebuild-manifest.ts';
export { restoreSnapshot } from './restore.ts';
export { SnapshotFile } from './snapshot-file.ts';
export { SnapshotReader } from './snapshot-reader.ts';
export { SnapshotWriter } from './snapshot-writer.ts';
export { startSnapshot } from './start-snapshot.ts';
export { makeClient } from './transport/make-client.ts';
export { uploadSnapshot } from './upload.ts';
export { verifySnapshot } from './verify.ts';
