/**
 * Numbers of the EBS direct APIs, each with its source: "model" is the published service model (API version 2019-11-02),
 * "user guide" and "quotas" are the AWS documentation.
 */

/** Bytes in one block; the only DataLength that PutSnapshotBlock accepts (model: BlockSize). */
export const BLOCK_SIZE = 524_288;

/** Bytes in one GiB, the unit of VolumeSize. */
export const GIB = 1_073_741_824;

/** Blocks in one GiB of volume. */
export const BLOCKS_PER_GIB = 2048;

/** Bytes in one SHA-256 digest. */
export const DIGEST_SIZE = 32;

/** Largest VolumeSize in GiB: 64 TiB (user guide). */
export const VOLUME_SIZE_GIB_MAX = 65_536;

/** Tags a snapshot may carry (user guide: tag restrictions). */
export const TAG_COUNT_MAX = 50;

/** Characters in a tag key (model: TagKey). EC2 allows 128, StartSnapshot 127. */
export const TAG_KEY_LENGTH_MAX = 127;

/** Characters in a tag value (model: TagValue). */
export const TAG_VALUE_LENGTH_MAX = 255;

/** Characters in a Description (model: Description). */
export const DESCRIPTION_LENGTH_MAX = 255;

/** Characters in a ClientToken (model: IdempotencyToken; the user guide promises 64). */
export const CLIENT_TOKEN_LENGTH_MAX = 255;

/** Smallest Timeout in minutes (model: Timeout). */
export const TIMEOUT_MINUTES_MIN = 10;

/** Largest Timeout in minutes: three days (model: Timeout). */
export const TIMEOUT_MINUTES_MAX = 4320;

/** Entries in the largest page of the two lists (model: MaxResults). */
export const LIST_RESULTS_MAX = 10_000;

/** Accepted requests a second for one snapshot, in each direction (quotas L-1774F84A and L-028ACFB9). */
export const SNAPSHOT_REQUESTS_PER_SECOND = 1000;
