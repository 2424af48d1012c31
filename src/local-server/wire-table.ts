/**
 * The wire format of the EBS direct APIs (version 2019-11-02) as the local service speaks it. Deliberately not shared
 * with the client side of this library: it is a second, independent reading of the same documents, and a test compares
 * the two.
 */

/** Bytes in one block. */
export const BLOCK_SIZE = 524_288;

/** Bytes of a SHA-256 digest. */
export const DIGEST_SIZE = 32;
/** Blocks in one GiB. */
export const BLOCKS_PER_GIB = 2048;
/** Largest VolumeSize, in GiB. */
export const MAX_VOLUME_SIZE_GIB = 65_536;
/** Timeout in minutes when StartSnapshot names none. */
export const DEFAULT_TIMEOUT_MINUTES = 60;
/** Entries in a page when MaxResults is not given. */
export const DEFAULT_MAX_RESULTS = 100;
/** How long a block token can be used. */
export const BLOCK_TOKEN_LIFE_MS = 7 * 24 * 3_600_000;
/** How long a page token can be used. */
export const PAGE_TOKEN_LIFE_MS = 3_600_000;
/** How far the time of a signature may be off, in either direction. */
export const SIGNATURE_SKEW_MS = 5 * 60_000;
/** SHA-256 of one block of zeros, hex. */
export const ZERO_BLOCK_SHA256_HEX =
  '07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541';

/** Headers in the spelling of the service model; Node matches them in lower case when reading. */
export const HEADER = {
  requestId: 'x-amzn-RequestId',
  errorType: 'x-amzn-ErrorType',
  dataLength: 'x-amz-Data-Length',
  checksum: 'x-amz-Checksum',
  checksumAlgorithm: 'x-amz-Checksum-Algorithm',
  aggregationMethod: 'x-amz-Checksum-Aggregation-Method',
  changedBlocksCount: 'x-amz-ChangedBlocksCount',
  progress: 'x-amz-Progress',
} as const;

/** The three origins of an error: the URI after the type in x-amzn-ErrorType tells them apart. */
export const ERROR_NAMESPACE = {
  service: 'http://internal.amazon.com/coral/com.amazon.zeppelindataservice/',
  constraint: 'http://internal.amazon.com/coral/com.amazon.coral.validate/',
  framework: 'http://internal.amazon.com/coral/com.amazon.coral.service/',
} as const;

/** An operation of the EBS direct APIs. */
export type EbsOperation =
  | 'StartSnapshot'
  | 'PutSnapshotBlock'
  | 'CompleteSnapshot'
  | 'ListSnapshotBlocks'
  | 'ListChangedBlocks'
  | 'GetSnapshotBlock';

/** Method, path and status of each operation; a name in braces takes one path segment. */
export const OPERATIONS: Readonly<
  Record<EbsOperation, { readonly method: string; readonly path: string; readonly status: number }>
> = {
  StartSnapshot: { method: 'POST', path: '/snapshots', status: 201 },
  PutSnapshotBlock: {
    method: 'PUT',
    path: '/snapshots/{SnapshotId}/blocks/{BlockIndex}',
    status: 201,
  },
  CompleteSnapshot: { method: 'POST', path: '/snapshots/completion/{SnapshotId}', status: 202 },
  ListSnapshotBlocks: { method: 'GET', path: '/snapshots/{SnapshotId}/blocks', status: 200 },
  ListChangedBlocks: {
    method: 'GET',
    path: '/snapshots/{SecondSnapshotId}/changedblocks',
    status: 200,
  },
  GetSnapshotBlock: {
    method: 'GET',
    path: '/snapshots/{SnapshotId}/blocks/{BlockIndex}',
    status: 200,
  },
};

/** Patterns of the service model, printed in constraint errors as they stand. */
export const PATTERN = {
  snapshotId: '^snap-[0-9a-f]+$',
  blockToken: '^[A-Za-z0-9+/=_-]+$',
  pageToken: '^[A-Za-z0-9+/=_-]+$',
  checksum: '^[A-Za-z0-9+/=]+$',
  clientToken: '^[\\S]+$',
  description: '^[\\S\\s]+$',
  tagKey: '^[\\S\\s]+$',
  kmsKeyArn: 'arn:aws[a-z\\-]*:kms:.*:[0-9]{12}:key/.*',
} as const;
