/**
 * Every code an error of this library can carry, with the one sentence that heads its paragraph in docs/errors.md.
 * Users match on `code`; it never changes once published.
 */
export const ERROR_CODES = {
  ERR_EBS_SOURCE_OPEN: 'The source could not be opened.',
  ERR_EBS_SOURCE_READ: 'Reading the source failed.',
  ERR_EBS_SOURCE_SIZE: 'The source does not fit the volume, or is empty.',
  ERR_EBS_TARGET_OPEN: 'The target could not be opened.',
  ERR_EBS_TARGET_WRITE: 'Writing the target failed.',
  ERR_EBS_TARGET_EXISTS: 'The target exists and may not be written over.',
  ERR_EBS_TARGET_SIZE: 'The target is smaller than the volume.',
  ERR_EBS_SERVICE: 'The service refused the request for good.',
  ERR_EBS_ACCESS: 'Credentials, region or permission do not allow the request.',
  ERR_EBS_PROXY: 'The proxy does not let the request through, or cannot be used.',
  ERR_EBS_THROTTLED: 'The service asks to slow down.',
  ERR_EBS_TRANSPORT: 'The connection failed before an answer arrived.',
  ERR_EBS_INTEGRITY: 'Bytes do not match their digest.',
  ERR_EBS_SNAPSHOT_FAILED: 'The service accepted the snapshot and then failed it.',
  ERR_EBS_SNAPSHOT_DELETED: 'The snapshot was deleted before it was finished.',
  ERR_EBS_SNAPSHOT_EXPIRED: 'The service gave the snapshot up for want of blocks.',
  ERR_EBS_SNAPSHOT_SEALED: 'The snapshot was completed by another.',
  ERR_EBS_DIFFERENT: 'The snapshot does not read back as it was sent.',
  ERR_EBS_VOLUME_MISMATCH: 'The snapshot is of another volume size.',
  ERR_EBS_UNCONFIRMED: 'The service accepted the snapshot but it could not be confirmed.',
  ERR_EBS_OMIT_REFUSED: 'Zero blocks cannot be omitted from an encrypted snapshot.',
  ERR_EBS_MANIFEST_OPEN: 'The manifest could not be opened.',
  ERR_EBS_MANIFEST_EXISTS: 'The manifest exists and may not be written over.',
  ERR_EBS_MANIFEST_LOCKED: 'Another run has the manifest open.',
  ERR_EBS_MANIFEST_FOREIGN: 'The file is not a manifest that this version can read.',
  ERR_EBS_MANIFEST_DAMAGED: "Both copies of the manifest's header are damaged.",
  ERR_EBS_MANIFEST_MISMATCH: 'The manifest belongs to something else.',
  ERR_EBS_MANIFEST_DOUBTFUL: 'Blocks must be sent again, and the source did not bring them.',
  ERR_EBS_PARTS_INCOMPLETE: 'The parts do not yet make the whole snapshot.',
  ERR_EBS_PARTS_CONFLICT: 'Two parts sent different bytes for one block.',
  ERR_EBS_MANIFEST_IO: 'Reading or writing the manifest failed.',
  ERR_EBS_ENGINE: 'The native engine could not be loaded.',
} as const;

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * Why the same request may succeed later. `transient`: network or server; `throttle`: too fast; `visibility`: the
 * snapshot is not yet known everywhere; `clock`: the signature's time was off, and is corrected by now; `credentials`:
 * they had expired, and are renewed by now; `checksum`: the body did not arrive as it was sent.
 */
export type RetryClass =
  'never' | 'transient' | 'throttle' | 'visibility' | 'clock' | 'credentials' | 'checksum';

/** What any error of this library may say beside its message. */
export interface SnapshotErrorFields {
  readonly cause?: unknown;
  readonly snapshotId?: string | undefined;
  readonly blockIndex?: number | undefined;
  readonly requestId?: string | undefined;
  /** Attempts made, the first included. */
  readonly attempts?: number | undefined;
  /** Default 'never'. */
  readonly retryClass?: RetryClass | undefined;
}

const BRAND = Symbol.for('ebs-snapshot-stream.SnapshotError');

/** Base of every error that the library raises, wrong arguments (TypeError, RangeError) and AbortError aside. */
export class SnapshotError extends Error {
  readonly code: ErrorCode;
  snapshotId: string | undefined;
  blockIndex: number | undefined;
  requestId: string | undefined;
  attempts: number | undefined;
  /** Whether the same manifest lets an upload (with `resume`) or a restore go on where this one stopped. */
  resumable = false;
  readonly retryClass: RetryClass;

  constructor(code: ErrorCode, message: string, fields: SnapshotErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = new.target.name;
    this.code = code;
    this.snapshotId = fields.snapshotId;
    this.blockIndex = fields.blockIndex;
    this.requestId = fields.requestId;
    this.attempts = fields.attempts;
    this.retryClass = fields.retryClass ?? 'never';
    Object.defineProperty(this, BRAND, { value: new.target.name });
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return this.retryClass !== 'never';
  }

  /** Works across two installed copies of the library: the brand decides, not the prototype. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, this);
  }
}

/** The fields that a failed system call adds. */
export interface SystemErrorFields extends SnapshotErrorFields {
  readonly path?: string | undefined;
  /** Bytes from the start of the file or device. */
  readonly offset?: number | undefined;
  /** Positive number of errno(3). */
  readonly errno?: number | undefined;
  readonly syscall?: string | undefined;
}

/** A file or device that could not be opened, read or written. */
class SystemFailure extends SnapshotError {
  readonly path: string | undefined;
  readonly offset: number | undefined;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;

  constructor(code: ErrorCode, message: string, fields: SystemErrorFields = {}) {
    super(code, message, fields);
    this.path = fields.path;
    this.offset = fields.offset;
    this.errno = fields.errno;
    this.syscall = fields.syscall;
  }
}

/** The source could not be opened or read, or does not fit. */
export class SourceError extends SystemFailure {}

/** The target could not be opened or written, exists, or does not fit. */
export class TargetError extends SystemFailure {}

/** Who has a manifest open for writing, as told in it. */
export interface ManifestHolder {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** The fields that a manifest's failure adds. */
export interface ManifestErrorFields extends SystemErrorFields {
  /** Of ERR_EBS_MANIFEST_LOCKED, where it is known. */
  readonly holder?: ManifestHolder | undefined;
}

/** A manifest that cannot be used, or not by this run. */
export class ManifestError extends SystemFailure {
  readonly holder: ManifestHolder | undefined;

  constructor(code: ErrorCode, message: string, fields: ManifestErrorFields = {}) {
    super(code, message, fields);
    this.holder = fields.holder;
  }
}

/** The fields that an answer of the service adds. */
export interface ServiceErrorFields extends SnapshotErrorFields {
  readonly statusCode?: number | undefined;
  /** The error type, as `ValidationException`. */
  readonly serviceCode?: string | undefined;
  /** The service's Reason, as `INVALID_SNAPSHOT_ID`. */
  readonly reason?: string | undefined;
  /** The service's own text. */
  readonly serviceMessage?: string | undefined;
  /** What can be done about it, where that is known: the end of the message. */
  readonly advice?: string | undefined;
}

/** The service answered with an error. */
export class ServiceError extends SnapshotError {
  readonly statusCode: number | undefined;
  readonly serviceCode: string | undefined;
  readonly reason: string | undefined;
  readonly serviceMessage: string | undefined;
  readonly advice: string | undefined;

  constructor(code: ErrorCode, message: string, fields: ServiceErrorFields = {}) {
    super(code, message, fields);
    this.statusCode = fields.statusCode;
    this.serviceCode = fields.serviceCode;
    this.reason = fields.reason;
    this.serviceMessage = fields.serviceMessage;
    this.advice = fields.advice;
  }
}

/** The service asks to slow down; `scope` says whether one snapshot or the whole account is too fast. */
export class ThrottleError extends ServiceError {
  readonly scope: 'snapshot' | 'account';

  constructor(message: string, scope: 'snapshot' | 'account', fields: ServiceErrorFields = {}) {
    super('ERR_EBS_THROTTLED', message, { ...fields, retryClass: 'throttle' });
    this.scope = scope;
  }
}

/** No answer arrived: connect failure, reset, time-out, cut body. */
export class TransportError extends SnapshotError {
  constructor(message: string, fields: SnapshotErrorFields = {}) {
    super('ERR_EBS_TRANSPORT', message, { retryClass: 'transient', ...fields });
  }
}

/** Bytes do not match their digest. */
export class IntegrityError extends SnapshotError {
  constructor(message: string, fields: SnapshotErrorFields = {}) {
    super('ERR_EBS_INTEGRITY', message, fields);
  }
}

/** CompleteSnapshot was accepted, but the snapshot failed afterwards or could not be confirmed. */
export class CompletionError extends SnapshotError {}

/** Makes Node's AbortError with the signal's reason as cause. */
export function abortError(signal?: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal?.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

function isBranded(value: unknown, type: { name: string; prototype: object }): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Object.prototype.isPrototypeOf.call(type.prototype, value)) return true;
  const brand = (value as Record<symbol, unknown>)[BRAND];
  return brand !== undefined && (type.name === 'SnapshotError' || brand === type.name);
}
