import { VOLUME_SIZE_GIB_MAX } from '../base/constants.ts';
import { isSourceIdentity, type SourceIdentity } from './source-identity.ts';

/**
 * How far the snapshot is. `planned`: StartSnapshot may have been called with the client token, its answer is not known.
 * `started`: the snapshot's id is known. `sent`: all blocks of a part are acknowledged. `completing`: CompleteSnapshot may have been called. `accepted`: it was
 * accepted. `completed`: the snapshot can be read. `failed`: the service gave the snapshot up.
 */
export const MANIFEST_STATES = [
  'planned',
  'started',
  'sent',
  'completing',
  'accepted',
  'completed',
  'failed',
] as const;

/** One of {@link MANIFEST_STATES}. */
export type ManifestState = (typeof MANIFEST_STATES)[number];

/** Blocks firstBlock ≤ index < endBlock. */
export interface BlockRange {
  readonly firstBlock: number;
  readonly endBlock: number;
}

/** The manifest whose digests a new one has inherited. */
export interface BaseIdentity {
  readonly snapshotId: string;
  /** Hex of the base's 16 random bytes. */
  readonly manifestId: string;
  /** Whether all of its digests are here; false when the copying was interrupted. */
  readonly isInherited: boolean;
  /** Whether a block of which the base knows nothing reads as zeros in its snapshot, unless that is encrypted. */
  readonly absentIsZero: boolean;
}

/** What the header tells of the snapshot: JSON in the file. Members that are not known here are kept as they are. */
export interface ManifestFacts {
  readonly state: ManifestState;
  /** 1 to 65536. Never changes. */
  readonly volumeSizeGiB: number;
  /** StartSnapshot's ClientToken: what finds the snapshot again when its answer was lost. */
  readonly clientToken: string;
  /** StartSnapshot's other members, verbatim: with a known token the service wants the same values again. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Whether zero blocks are written or left out; the same must go on after a crash. */
  readonly zeroBlocks: 'write' | 'omit';
  /** From `started` on; of a part from the beginning. */
  readonly snapshotId?: string;
  /** StartSnapshot's answer, its time as ISO 8601 text; from `started` on. */
  readonly answer?: Readonly<Record<string, unknown>>;
  /** Of a file or device: no run has read, or sent, a block from here on. */
  readonly readEndBlock?: number;
  /** What is read; absent for a stream, which has no identity. */
  readonly source?: SourceIdentity;
  /** Of a restore: the file or device that the snapshot is written to. */
  readonly target?: SourceIdentity;
  /** Only these blocks are this manifest's to write: several processes make one snapshot. */
  readonly range?: BlockRange;
  readonly base?: BaseIdentity;
  /**
   * `snapshot`: built from what the service has of a completed snapshot, `started` until all of it is here; its digests
   * are `inherited`. Absent for the manifest of an upload or a restore.
   */
  readonly origin?: 'snapshot';
}

/** What a manifest remembers: what an upload has sent, what a restore has written, or what was read of a snapshot. */
export type ManifestKind = 'upload' | 'restore' | 'snapshot';

/** Tells the kind of a manifest. None is gone on with as one of another kind. */
export function kindOf({ origin, target }: ManifestFacts): ManifestKind {
  return origin ?? (target === undefined ? 'upload' : 'restore');
}

/** Tells what is wrong with a header's JSON; undefined when nothing is. */
export function factsFault(facts: unknown): string | undefined {
  if (typeof facts !== 'object' || facts === null) return 'no object';
  const { state, volumeSizeGiB, clientToken, parameters, zeroBlocks, ...rest } =
    facts as Partial<ManifestFacts>;
  if (!MANIFEST_STATES.some((known) => known === state)) return 'state';
  if (!isWholeNumber(volumeSizeGiB, 1, VOLUME_SIZE_GIB_MAX)) return 'volumeSizeGiB';
  if (typeof clientToken !== 'string') return 'clientToken';
  if (typeof parameters !== 'object' || (parameters as unknown) === null) return 'parameters';
  if (zeroBlocks !== 'write' && zeroBlocks !== 'omit') return 'zeroBlocks';
  if (rest.snapshotId !== undefined && typeof rest.snapshotId !== 'string') return 'snapshotId';
  if (rest.source !== undefined && !isSourceIdentity(rest.source)) return 'source';
  if (rest.target !== undefined && !isSourceIdentity(rest.target)) return 'target';
  if (rest.range !== undefined && !isRange(rest.range)) return 'range';
  if (rest.base !== undefined && typeof rest.base.manifestId !== 'string') return 'base';
  if (rest.origin !== undefined && (rest.origin as string) !== 'snapshot') return 'origin';
  return undefined;
}

function isRange({ firstBlock, endBlock }: Partial<BlockRange>): boolean {
  const max = Number.MAX_SAFE_INTEGER;
  return isWholeNumber(firstBlock, 0, max) && isWholeNumber(endBlock, firstBlock ?? 0, max);
}

function isWholeNumber(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
