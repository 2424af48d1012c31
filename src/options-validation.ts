import { inspect } from 'node:util';
import type { StartSnapshotCommandInput } from '@aws-sdk/client-ebs';
import {
  BLOCK_SIZE,
  CLIENT_TOKEN_LENGTH_MAX,
  DESCRIPTION_LENGTH_MAX,
  TAG_COUNT_MAX,
  TAG_KEY_LENGTH_MAX,
  TAG_VALUE_LENGTH_MAX,
  TIMEOUT_MINUTES_MAX,
  TIMEOUT_MINUTES_MIN,
  VOLUME_SIZE_GIB_MAX,
} from './base/constants.ts';
import { volumeBlockCount } from './base/units.ts';
import type {
  CompleteOptions,
  CopyOptions,
  CopyTarget,
  DiffOptions,
  Limits,
  RebuildOptions,
  RestoreOptions,
  SnapshotFileOptions,
  SnapshotReaderOptions,
  SnapshotWriterOptions,
  StartOptions,
  UploadOptions,
  VerifyOptions,
} from './options.ts';

/** Model: SnapshotId. */
const SNAPSHOT_ID = /^snap-[0-9a-f]{1,59}$/;
/** Model: KmsKeyArn; an alias or a bare id is not taken. */
const KMS_KEY_ARN = /^arn:aws[a-z-]*:kms:[^:]*:[0-9]{12}:key\/.+$/;

/** Checks one value; `name` is the option as the caller wrote it. */
type Check = (value: unknown, name: string) => void;

const LIMITS: Record<string, Check> = {
  maxInFlightBytes: integerBetween(BLOCK_SIZE, Number.MAX_SAFE_INTEGER, 'bytes'),
  maxRequestsPerSecond: positive('requests a second'),
  maxBytesPerSecond: positive('bytes a second'),
};

/** What every function takes that calls the service. */
const CALL: Record<string, Check> = {
  client: (value, name) => {
    const isClient = typeof (value as { send?: unknown } | null)?.send === 'function';
    if (!isClient) throw typeError(name, 'an EBSClient', value);
  },
  signal: (value, name) => {
    if (!(value instanceof AbortSignal)) throw typeError(name, 'an AbortSignal', value);
  },
  transport: oneOf('lean', 'sdk'),
};

const JOB: Record<string, Check> = {
  ...LIMITS,
  ...CALL,
  engine: oneOf('auto', 'native', 'js'),
};

const UPLOAD: Record<string, Check> = {
  ...JOB,
  zeroBlocks: oneOf('write', 'omit'),
  waitUntil: oneOf('accepted', 'completed'),
  verify: boolean,
  onFailure: oneOf('keep', 'delete'),
  manifest: path,
  resume: boolean,
  base: path,
  snapshotId,
  range: (value, name) => {
    object(value, name);
    checkAll(value, BLOCK_RANGE, name, name);
  },
};

const BLOCK_RANGE: Record<string, Check> = {
  firstBlock: integerBetween(0, Number.MAX_SAFE_INTEGER, 'blocks'),
  endBlock: integerBetween(0, Number.MAX_SAFE_INTEGER, 'blocks'),
};

const RESTORE: Record<string, Check> = {
  ...JOB,
  snapshotId,
  targetIsZero: boolean,
  force: boolean,
  manifest: path,
  keepManifest: boolean,
  base: path,
  target: streamOrPath('write', 'a Writable'),
  on: listeners,
};

const READER: Record<string, Check> = {
  ...JOB,
  snapshotId,
  as: oneOf('blocks', 'bytes'),
  absentBlocks: oneOf('hole', 'omit'),
  range: object,
};

const BYTE_RANGE: Record<string, Check> = {
  offset: integerBetween(0, Number.MAX_SAFE_INTEGER, 'bytes'),
  length: integerBetween(0, Number.MAX_SAFE_INTEGER, 'bytes'),
};

const DIFF: Record<string, Check> = {
  ...JOB,
  firstSnapshotId: snapshotId,
  secondSnapshotId: snapshotId,
  byDigest: boolean,
  on: listeners,
};

const VERIFY: Record<string, Check> = {
  ...JOB,
  snapshotId,
  source: streamOrPath('pipe', 'a Readable'),
  manifest: path,
  offline: boolean,
  on: listeners,
};

const COPY: Record<string, Check> = {
  ...JOB,
  snapshotId,
  targets: (value, name) => {
    if (!Array.isArray(value)) throw typeError(name, 'an array of targets', value);
    if (value.length === 0) throw valueError(name, 'at least one target', value);
  },
  on: listeners,
};

const COPY_TARGET: Record<string, Check> = {
  client: (value, name) => JOB.client?.(value, name),
  transport: (value, name) => JOB.transport?.(value, name),
  waitUntil: oneOf('accepted', 'completed'),
  verify: boolean,
  onFailure: oneOf('keep', 'delete'),
  manifest: path,
  resume: boolean,
  base: path,
  params: object,
};

const REBUILD: Record<string, Check> = {
  ...JOB,
  snapshotId,
  manifest: path,
  resume: boolean,
  on: listeners,
};

const PARAMS: Record<string, Check> = {
  VolumeSize: integerBetween(1, VOLUME_SIZE_GIB_MAX, 'GiB'),
  ParentSnapshotId: snapshotId,
  Description: text(1, DESCRIPTION_LENGTH_MAX),
  ClientToken: (value, name) => {
    text(1, CLIENT_TOKEN_LENGTH_MAX)(value, name);
    if (/\s/.test(value as string)) throw valueError(name, 'free of white space', value);
  },
  Timeout: integerBetween(TIMEOUT_MINUTES_MIN, TIMEOUT_MINUTES_MAX, 'minutes'),
  Encrypted: boolean,
  KmsKeyArn: (value, name) => {
    if (typeof value !== 'string') throw typeError(name, 'a string', value);
    if (!KMS_KEY_ARN.test(value)) {
      throw valueError(name, 'the ARN of a KMS key (arn:aws:kms:…:key/…), not an alias', value);
    }
  },
  Tags: tags,
};

/**
 * Checks the options of a SnapshotWriter before any call is made.
 * @throws TypeError (ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE) or RangeError (ERR_OUT_OF_RANGE) naming the option.
 */
export function validateWriterOptions(options: SnapshotWriterOptions): void {
  const own = {
    params: object,
    sourceSizeBytes: integerBetween(0, Number.MAX_SAFE_INTEGER, 'bytes'),
  };
  checkAll(options, { ...UPLOAD, ...own }, 'SnapshotWriter');
  required(options.params, 'params', 'the parameters of StartSnapshot');
  required(options.params.VolumeSize, 'params.VolumeSize', 'the size of the volume in GiB');
  checkParams(options.params, options.zeroBlocks);
  checkManifest(options);
  checkPart(options, options.params);
}

/** As {@link validateWriterOptions}, for uploadSnapshot: VolumeSize may still be learned from the source. */
export function validateUploadOptions(options: UploadOptions): void {
  const source = streamOrPath('pipe', 'a Readable');
  const own = { params: object, source, changed: pathOrRanges, on: listeners };
  checkAll(options, { ...UPLOAD, ...own }, 'uploadSnapshot');
  required(options.source, 'source', 'a path or a Readable');
  checkChanged(options);
  checkParams(options.params ?? {}, options.zeroBlocks);
  checkManifest(options);
  checkPart(options, options.params ?? {});
  if (options.range !== undefined && typeof options.source !== 'string') {
    throw valueError(
      'source',
      'a file or a block device when a range of it is read',
      options.source,
    );
  }
}

/** As {@link validateWriterOptions}, for startSnapshot. */
export function validateStartOptions(options: StartOptions): void {
  checkAll(options, { ...CALL, params: object }, 'startSnapshot');
  required(options.params, 'params', 'the parameters of StartSnapshot');
  required(options.params.VolumeSize, 'params.VolumeSize', 'the size of the volume in GiB');
  checkParams(options.params, 'write');
}

/** As {@link validateWriterOptions}, for completeSnapshot. */
export function validateCompleteOptions(options: CompleteOptions): void {
  const own = { snapshotId, manifests: paths, waitUntil: oneOf('accepted', 'completed') };
  checkAll(options, { ...CALL, ...own }, 'completeSnapshot');
  required(options.snapshotId, 'snapshotId', 'the id of a snapshot');
  required(options.manifests, 'manifests', 'the paths of the manifests');
}

/** As {@link validateWriterOptions}, for restoreSnapshot. */
export function validateRestoreOptions(options: RestoreOptions): void {
  checkAll(options, RESTORE, 'restoreSnapshot');
  required(options.snapshotId, 'snapshotId', 'the id of a snapshot');
  required(options.target, 'target', 'a path or a Writable');
  const { manifest, keepManifest, base, target } = options;
  if (manifest === undefined) {
    if (keepManifest === true) throw missing('manifest', 'keepManifest');
    if (base !== undefined) throw missing('manifest', 'base');
  } else if (typeof target !== 'string') {
    throw conflict('manifest', 'a stream as target');
  }
}

/** As {@link validateWriterOptions}, for a SnapshotFile. */
export function validateFileOptions(options: SnapshotFileOptions): void {
  checkAll(options, { ...JOB, snapshotId }, 'SnapshotFile');
  required(options.snapshotId, 'snapshotId', 'the id of a snapshot');
}

/** As {@link validateWriterOptions}, for what a SnapshotFile is asked to read. */
export function checkRead(range: { readonly offset: number; readonly length: number }): void {
  for (const [name, value] of Object.entries(range)) BYTE_RANGE[name]?.(value, name);
}

/** As {@link validateWriterOptions}, for a SnapshotReader. */
export function validateReaderOptions(options: SnapshotReaderOptions): void {
  checkAll(options, READER, 'SnapshotReader');
  required(options.snapshotId, 'snapshotId', 'the id of a snapshot');
  const { as = 'blocks', range, absentBlocks } = options;
  // Left out, they would move every byte behind them.
  if (as === 'bytes' && absentBlocks === 'omit') {
    throw conflict("absentBlocks: 'omit'", "as: 'bytes'");
  }
  if (range === undefined) return;
  const isOfBytes = 'offset' in range;
  if (isOfBytes && as === 'blocks') throw conflict('range.offset', "as: 'blocks'");
  checkAll(range, isOfBytes ? BYTE_RANGE : BLOCK_RANGE, 'range', 'range');
  if (isOfBytes) required(range.offset, 'range.offset', 'a number of bytes');
}

/** As {@link validateWriterOptions}, for diffSnapshots. */
export function validateDiffOptions(options: DiffOptions): void {
  checkAll(options, DIFF, 'diffSnapshots');
  required(options.firstSnapshotId, 'firstSnapshotId', 'the id of a snapshot');
  required(options.secondSnapshotId, 'secondSnapshotId', 'the id of a snapshot');
}

/** As {@link validateWriterOptions}, for verifySnapshot. */
export function validateVerifyOptions(options: VerifyOptions): void {
  checkAll(options, VERIFY, 'verifySnapshot');
  const { source, manifest, offline } = options;
  if (offline === true) {
    if (source === undefined) throw missing('source', 'offline');
    if (manifest === undefined) throw missing('manifest', 'offline');
    return;
  }
  required(options.snapshotId, 'snapshotId', 'the id of a snapshot');
  if (source !== undefined && manifest !== undefined)
    throw missing('offline', 'source and manifest');
}

/** As {@link validateWriterOptions}, for copySnapshot. */
export function validateCopyOptions(options: CopyOptions): void {
  checkAll(options, COPY, 'copySnapshot');
  required(options.snapshotId, 'snapshotId', 'the id of a snapshot');
  required(options.targets, 'targets', 'an array of targets');
  for (const [index, target] of options.targets.entries()) {
    checkAll(target, COPY_TARGET, 'copySnapshot', `targets[${index}]`);
    checkParams(target.params ?? {}, 'write');
    checkManifest(target);
  }
}

/** As {@link validateWriterOptions}, for rebuildManifest. */
export function validateRebuildOptions(options: RebuildOptions): void {
  checkAll(options, REBUILD, 'rebuildManifest');
  required(options.snapshotId, 'snapshotId', 'the id of a snapshot');
  required(options.manifest, 'manifest', 'the path of the file to make');
}

/** As {@link validateWriterOptions}, for what is assigned to `limits`. */
export function validateLimits(limits: Limits): void {
  checkAll(limits, LIMITS, 'limits', 'limits');
}

/** Parameters of StartSnapshot: each by itself, then together. Names not known here are left to the service. */
function checkParams(
  params: Partial<StartSnapshotCommandInput>,
  zeroBlocks: SnapshotWriterOptions['zeroBlocks'],
): void {
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) PARAMS[name]?.(value, `params.${name}`);
  }
  const { ParentSnapshotId, Encrypted, KmsKeyArn } = params;
  if (ParentSnapshotId !== undefined) {
    // The service refuses even Encrypted: false beside a parent; the child is encrypted as its parent is.
    if (Encrypted !== undefined) throw conflict('params.Encrypted', 'params.ParentSnapshotId');
    if (KmsKeyArn !== undefined) throw conflict('params.KmsKeyArn', 'params.ParentSnapshotId');
  }
  if (Encrypted === false && KmsKeyArn !== undefined) {
    throw conflict('params.KmsKeyArn', 'params.Encrypted: false');
  }
  if (zeroBlocks !== 'omit') return;
  // An omitted block reads as the parent's data, or as noise on an encrypted volume.
  if (ParentSnapshotId !== undefined) {
    throw conflict("zeroBlocks: 'omit'", 'params.ParentSnapshotId');
  }
  if (Encrypted === true || KmsKeyArn !== undefined) {
    throw conflict("zeroBlocks: 'omit'", 'an encrypted snapshot');
  }
}

/**
 * Of a stream nothing can be left unread; without a parent there is nothing that could have stayed the same, and nothing
 * tells which one the snapshot of a part has.
 */
function checkChanged({ changed, source, params, snapshotId: ofPart }: UploadOptions): void {
  if (changed === undefined) return;
  if (ofPart !== undefined) throw conflict('changed', 'snapshotId');
  if (typeof source !== 'string') throw missing('source, as a path,', 'changed');
  if (params?.ParentSnapshotId === undefined) throw missing('params.ParentSnapshotId', 'changed');
}

function checkManifest(options: SnapshotWriterOptions | UploadOptions | CopyTarget): void {
  const { manifest, resume, base, params, onFailure } = options;
  // What cannot be read yet cannot be read back.
  if (options.verify === true && options.waitUntil === 'accepted') {
    throw conflict('verify', "waitUntil: 'accepted'");
  }
  if (resume === true && manifest === undefined) throw missing('manifest', 'resume');
  if (base !== undefined) {
    if (manifest === undefined) throw missing('manifest', 'base');
    if (params?.ParentSnapshotId === undefined) throw missing('params.ParentSnapshotId', 'base');
  }
  // A manifest is there to go on with, and of a deleted snapshot there is nothing to go on with.
  if (manifest !== undefined && onFailure === 'delete') {
    throw conflict("onFailure: 'delete'", 'manifest');
  }
}

/** A part goes into a snapshot that another has started, so what the snapshot is, and its end, are not the part's. */
function checkPart(
  options: Omit<SnapshotWriterOptions, 'params'>,
  params: Partial<StartSnapshotCommandInput>,
): void {
  const { snapshotId, range, manifest, waitUntil, base } = options;
  if (snapshotId === undefined) {
    if (range !== undefined) throw missing('snapshotId', 'range');
    return;
  }
  if (range === undefined) throw missing('range', 'snapshotId');
  if (manifest === undefined) throw missing('manifest', 'range');
  // Nothing tells which parent a started snapshot has, and a wrong guess would show in the volume.
  if (base !== undefined) throw conflict('base', 'snapshotId');
  if (waitUntil !== undefined) throw conflict('waitUntil', 'range');
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && name !== 'VolumeSize')
      throw conflict(`params.${name}`, 'snapshotId');
  }
  const { firstBlock = 0, endBlock = Infinity } = range;
  if (endBlock <= firstBlock) throw rangeError('range', 'of at least one block', show(range));
  const blockCount = volumeBlockCount(params.VolumeSize ?? Infinity);
  if (firstBlock < blockCount && (endBlock <= blockCount || endBlock === Infinity)) return;
  throw rangeError('range', `within the ${blockCount} blocks of the volume`, show(range));
}

/** @param path - what stands before each name, where the options are a member of something. */
function checkAll(
  options: unknown,
  checks: Record<string, Check>,
  taker: string,
  path?: string,
): void {
  if (typeof options !== 'object' || options === null) {
    throw typeError(path ?? 'options', 'an object', options);
  }
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) {
      throw withCode(TypeError, 'ERR_INVALID_ARG_VALUE', `${taker} has no option "${name}"`);
    }
    if (value !== undefined) check(value, path === undefined ? name : `${path}.${name}`);
  }
}

function required(value: unknown, name: string, meaning: string): void {
  if (value === undefined) throw typeError(name, meaning, value);
}

function object(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null) throw typeError(name, 'an object', value);
}

function boolean(value: unknown, name: string): void {
  if (typeof value !== 'boolean') throw typeError(name, 'true or false', value);
}

function listeners(value: unknown, name: string): void {
  object(value, name);
  for (const [event, listener] of Object.entries(value as object)) {
    if (listener !== undefined && typeof listener !== 'function') {
      throw typeError(`${name}.${event}`, 'a function', listener);
    }
  }
}

function snapshotId(value: unknown, name: string): void {
  if (typeof value !== 'string') throw typeError(name, 'a snapshot id', value);
  if (!SNAPSHOT_ID.test(value)) {
    throw valueError(name, 'a snapshot id such as snap-0123456789abcdef0', value);
  }
}

function path(value: unknown, name: string): void {
  if (typeof value !== 'string') throw typeError(name, 'a path', value);
  if (value === '') throw valueError(name, 'a path that is not empty', value);
}

function paths(value: unknown, name: string): void {
  if (!Array.isArray(value)) throw typeError(name, 'an array of paths', value);
  if (value.length === 0) throw valueError(name, 'at least one path', value);
  for (const [index, one] of (value as unknown[]).entries()) path(one, `${name}[${index}]`);
}

function pathOrRanges(value: unknown, name: string): void {
  if (!Array.isArray(value)) streamOrPath('pipe', 'a Readable')(value, name);
}

function streamOrPath(method: 'pipe' | 'write', stream: string): Check {
  return (value, name) => {
    if (value === '') throw valueError(name, 'a path that is not empty', value);
    if (typeof value === 'string') return;
    const candidate = value as { [Symbol.asyncIterator]?: unknown } & Record<string, unknown>;
    const isStream =
      typeof value === 'object' &&
      value !== null &&
      (typeof candidate[method] === 'function' ||
        (method === 'pipe' && typeof candidate[Symbol.asyncIterator] === 'function'));
    if (!isStream) throw typeError(name, `a path or ${stream}`, value);
  };
}

function oneOf(...choices: readonly string[]): Check {
  return (value, name) => {
    if (!choices.includes(value as string)) {
      throw valueError(name, choices.map((choice) => `'${choice}'`).join(' or '), value);
    }
  };
}

function integerBetween(min: number, max: number, unit: string): Check {
  return (value, name) => {
    if (typeof value !== 'number') throw typeError(name, `a number of ${unit}`, value);
    if (!Number.isInteger(value) || value < min || value > max) {
      const range =
        max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `between ${min} and ${max}`;
      throw rangeError(name, `a whole number of ${unit}, ${range}`, show(value));
    }
  };
}

function positive(unit: string): Check {
  return (value, name) => {
    if (typeof value !== 'number') throw typeError(name, `a number of ${unit}`, value);
    if (!Number.isFinite(value) || value <= 0) {
      throw rangeError(name, `a number of ${unit} above 0`, show(value));
    }
  };
}

function text(lengthMin: number, lengthMax: number): Check {
  return (value, name) => {
    if (typeof value !== 'string') throw typeError(name, 'a string', value);
    if (value.length < lengthMin || value.length > lengthMax) {
      throw rangeError(
        name,
        `${lengthMin} to ${lengthMax} characters long`,
        `${value.length} characters`,
      );
    }
  };
}

function tags(value: unknown, name: string): void {
  if (!Array.isArray(value)) throw typeError(name, 'an array of { Key, Value }', value);
  if (value.length > TAG_COUNT_MAX) {
    throw rangeError(name, `at most ${TAG_COUNT_MAX} tags`, `${value.length} tags`);
  }
  const keys = new Set<string>();
  for (const [index, tag] of (value as unknown[]).entries()) {
    const { Key, Value } = (tag ?? {}) as { Key?: unknown; Value?: unknown };
    text(1, TAG_KEY_LENGTH_MAX)(Key, `${name}[${index}].Key`);
    if (Value !== undefined) text(0, TAG_VALUE_LENGTH_MAX)(Value, `${name}[${index}].Value`);
    const key = Key as string;
    if (/^aws:/i.test(key)) {
      throw valueError(`${name}[${index}].Key`, 'free of the reserved prefix "aws:"', key);
    }
    if (keys.has(key)) throw valueError(`${name}[${index}].Key`, 'given only once', key);
    keys.add(key);
  }
}

function typeError(name: string, expected: string, received: unknown): TypeError {
  return withCode(TypeError, 'ERR_INVALID_ARG_TYPE', describe(name, expected, show(received)));
}

function valueError(name: string, expected: string, received: unknown): TypeError {
  return withCode(TypeError, 'ERR_INVALID_ARG_VALUE', describe(name, expected, show(received)));
}

function rangeError(name: string, expected: string, shown: string): RangeError {
  return withCode(RangeError, 'ERR_OUT_OF_RANGE', describe(name, expected, shown));
}

function conflict(name: string, other: string): TypeError {
  return withCode(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    `${name} cannot be given together with ${other}`,
  );
}

function missing(name: string, other: string): TypeError {
  return withCode(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    `${name} must be given together with ${other}`,
  );
}

function describe(name: string, expected: string, shown: string): string {
  return `${name} must be ${expected}; received ${shown}`;
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : inspect(value, { depth: 0, maxStringLength: 80 });
}

function withCode<E extends Error>(
  type: new (message: string) => E,
  code: string,
  message: string,
): E {
  return Object.assign(new type(message), { code });
}
