import type { StartSnapshotCommandInput } from '@aws-sdk/client-ebs';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { CompletionError, ManifestError } from './base/errors.ts';
import type { Block } from './engine/engine.ts';
import { lockOfAddon } from './engine/lock-of-addon.ts';
import {
  MANIFEST_STATES,
  type BlockRange,
  type ManifestFacts,
  type ManifestState,
} from './manifest/manifest-facts.ts';
import { Manifest } from './manifest/manifest.ts';
import type { SourceIdentity } from './manifest/source-identity.ts';
import type { BlockDigest } from './pipeline/compare-blocks.ts';
import { decideByRecord, type RecordPolicy } from './pipeline/decide-by-record.ts';
import type { Decision, RecordedBlocks, UploadRecords } from './pipeline/upload-records.ts';
import { knowsAllBlocks, manifestDigests } from './source-digests.ts';
import type { StartSnapshotAnswer } from './transport/transport.ts';

/** What an upload reads, as far as that is known before it is read. */
export interface UploadSource {
  readonly identity: SourceIdentity;
  /** The first block behind its end. */
  readonly endBlock: number;
}

/** A part of a snapshot that several uploads make. */
export interface UploadPart {
  readonly snapshotId: string;
  readonly range: BlockRange;
}

/** What an upload with a manifest is about to do. */
export interface UploadPlan {
  readonly path: string;
  /** Whether there may be a manifest to go on with. */
  readonly isResume: boolean;
  /** The manifest of the parent. */
  readonly basePath: string | undefined;
  readonly params: StartSnapshotCommandInput;
  readonly zeroBlocks: 'write' | 'omit';
  /** Of a part: the snapshot that another has started, and the blocks that are this one's to write. */
  readonly part: UploadPart | undefined;
  /** Undefined for a stream, which cannot be told from another. */
  readonly source: UploadSource | undefined;
  /** Told when records cannot be written any more. */
  readonly onFailure: (error: Error) => void;
}

/** States in which all blocks are acknowledged, and the source is not needed any more. */
const SEALED_STATES: ReadonlySet<ManifestState> = new Set(['completing', 'accepted', 'completed']);

/** The manifest of an upload under way: what to call the service with, and what it has of each block. */
export class UploadManifest implements UploadRecords {
  /** Whether an earlier run has sent every block, so that only its end is missing. */
  readonly isSealed: boolean;
  readonly #manifest: Manifest;
  readonly #hasKnownEnd: boolean;
  #policy: RecordPolicy | undefined;
  #mayBeStarted: boolean;

  private constructor(manifest: Manifest, known: { isSealed: boolean; hasKnownEnd: boolean }) {
    this.#manifest = manifest;
    this.isSealed = known.isSealed;
    this.#hasKnownEnd = known.hasKnownEnd;
    this.#mayBeStarted = !manifest.isNew;
  }

  /**
   * Makes a manifest for a new upload, or opens the one of an upload to go on with.
   * @throws {ManifestError} when it cannot be opened, is locked, or is of another upload; a base is checked likewise.
   * @throws {CompletionError} ERR_EBS_SNAPSHOT_FAILED when the service failed its snapshot in an earlier run.
   */
  static async open(plan: UploadPlan): Promise<UploadManifest> {
    const manifest = await openManifest(plan);
    try {
      if (!manifest.isNew) checkResumed(manifest, plan);
      await inheritFrom(plan.basePath, manifest, plan);
      const isSealed = await isAllSent(manifest);
      await widenTo(manifest, plan.source?.endBlock);
      return new UploadManifest(manifest, { isSealed, hasKnownEnd: plan.source !== undefined });
    } catch (error) {
      await (manifest.isNew ? discard(manifest) : manifest.close());
      throw error;
    }
  }

  /** StartSnapshot's answer, if an earlier run has got it. */
  get answer(): StartSnapshotAnswer | undefined {
    const { answer } = this.#manifest.facts;
    if (answer === undefined) return undefined;
    const { StartTime, ...rest } = answer;
    const time = typeof StartTime === 'string' ? { StartTime: new Date(StartTime) } : {};
    return { ...rest, ...time } as unknown as StartSnapshotAnswer;
  }

  /** What to call StartSnapshot with: after a crash the same as before, which finds the same snapshot. */
  get startRequest(): StartSnapshotCommandInput {
    const { clientToken, parameters, volumeSizeGiB } = this.#manifest.facts;
    this.#mayBeStarted = true;
    return { ...parameters, VolumeSize: volumeSizeGiB, ClientToken: clientToken };
  }

  /** Says that StartSnapshot was refused for good, so that a new manifest knows of nothing. */
  startRefused(): void {
    this.#mayBeStarted = !this.#manifest.isNew;
  }

  /** Notes StartSnapshot's answer, from this run or an earlier one. */
  async started(answer: StartSnapshotAnswer): Promise<void> {
    this.#mayBeStarted = true;
    const { zeroBlocks, base, state, parameters } = this.#manifest.facts;
    const absentIsZero = !answer.KmsKeyArn && base?.absentIsZero === true;
    this.#policy = {
      omitsZeroBlocks: zeroBlocks === 'omit',
      absent: base === undefined ? 'unsent' : absentIsZero ? 'zero' : 'unknown',
      // Under a parent another run may read no more than what has changed.
      seesAllBlocks: this.#hasKnownEnd && parameters.ParentSnapshotId === undefined,
    };
    if (state !== 'planned') return;
    await this.#manifest.update({
      state: 'started',
      snapshotId: answer.SnapshotId,
      answer: JSON.parse(JSON.stringify(answer)) as Record<string, unknown>,
    });
  }

  async decide(block: Block): Promise<Decision> {
    if (this.#policy === undefined) throw new TypeError('the snapshot has not been started');
    return decideByRecord(await this.#manifest.digestOf(block.index), block, this.#policy);
  }

  /** Whether an earlier run, or this one, has sent the block: of a source that never changes, it is there. */
  async isWritten(blockIndex: number): Promise<boolean> {
    return (await this.#manifest.digestOf(blockIndex)).state === 'written';
  }

  doubt(blockIndex: number): Promise<void> {
    return this.#manifest.doubt(blockIndex);
  }

  record(blockIndex: number, digest: Uint8Array): void {
    this.#manifest.record(blockIndex, digest);
  }

  whenReady(): Promise<void> | undefined {
    return this.#manifest.whenReady();
  }

  /**
   * Blocks from `firstBlock` on that earlier runs may have sent. The records of those that were told may change while the
   * next are looked for.
   */
  async *sentFrom(firstBlock: number): AsyncGenerator<number, void, undefined> {
    const { readEndBlock = 0 } = this.#manifest.facts;
    const unreadBlock = this.#hasKnownEnd ? Math.max(firstBlock, readEndBlock) : firstBlock;
    for (let index = firstBlock; index < unreadBlock; index += 1) yield index;
    // Where no run has read, a page that was damaged leaves doubt all the same.
    for await (const run of this.#manifest.records(unreadBlock)) {
      for (const { blockIndex, state } of run) {
        if (blockIndex >= unreadBlock && state !== 'absent') yield blockIndex;
      }
    }
  }

  /** Blocks that earlier runs have sent, or may have, as far as the records tell. Nothing may be recorded meanwhile. */
  async *sentBefore(): AsyncGenerator<number, void, undefined> {
    for await (const run of this.#manifest.records()) {
      for (const { blockIndex, state } of run) {
        if (state === 'written' || state === 'doubtful') yield blockIndex;
      }
    }
  }

  /** @throws {ManifestError} ERR_EBS_MANIFEST_DOUBTFUL when there are blocks that must be sent again. */
  async summary(): Promise<RecordedBlocks> {
    const { doubtfulBlocksCount, ...recorded } = await this.#manifest.summary();
    if (doubtfulBlocksCount === 0) return recorded;
    const { path } = this.#manifest;
    const blocks = doubtfulBlocksCount === 1 ? 'a block' : `${doubtfulBlocksCount} blocks`;
    const message = `"${path}" does not know what was sent for ${blocks}, and the source did not bring them`;
    throw new ManifestError('ERR_EBS_MANIFEST_DOUBTFUL', message, { path });
  }

  digests(): AsyncIterable<BlockDigest> {
    return manifestDigests(this.#manifest);
  }

  /** Whether blocks without a record read as zeros. */
  get knowsAllBlocks(): boolean {
    return knowsAllBlocks(this.#manifest);
  }

  /** Notes how far the snapshot is; it never goes back. */
  async advance(state: ManifestState): Promise<void> {
    const reached = MANIFEST_STATES.indexOf(this.#manifest.facts.state);
    if (MANIFEST_STATES.indexOf(state) > reached) await this.#manifest.update({ state });
  }

  /** Whether a later run can go on where this one ends, as far as the manifest goes. */
  get isResumable(): boolean {
    return this.#mayBeStarted;
  }

  /** Closes the manifest; one that is new and of no snapshot is removed. */
  async close(): Promise<void> {
    await (this.#mayBeStarted ? this.#manifest.close() : discard(this.#manifest));
  }
}

function openManifest(plan: UploadPlan): Promise<Manifest> {
  const { path, isResume, zeroBlocks, part, source, onFailure } = plan;
  const facts: ManifestFacts = {
    state: 'planned',
    volumeSizeGiB: plan.params.VolumeSize ?? 0,
    clientToken: plan.params.ClientToken ?? randomUUID(),
    parameters: parametersOf(plan.params),
    zeroBlocks,
    ...part,
    ...(source === undefined ? {} : { source: source.identity, readEndBlock: source.endBlock }),
  };
  const options = { tryLock: lockOfAddon(), onFailure };
  return isResume
    ? Manifest.resume(path, { ...options, factsIfNew: facts })
    : Manifest.create(path, facts, options);
}

/** StartSnapshot's members that say what the snapshot is; as they come back from JSON, so that they can be compared. */
function parametersOf({
  VolumeSize: _size,
  ClientToken: _token,
  ...rest
}: StartSnapshotCommandInput): Record<string, unknown> {
  return JSON.parse(JSON.stringify(rest)) as Record<string, unknown>;
}

function checkResumed(manifest: Manifest, plan: UploadPlan): void {
  const { params, zeroBlocks, part, source } = plan;
  const { ClientToken, VolumeSize = 0 } = params;
  manifest.mustBelongTo({
    kind: 'upload',
    volumeSizeGiB: VolumeSize,
    parameters: parametersOf(params),
    zeroBlocks,
    ...part,
    ...(ClientToken === undefined ? {} : { clientToken: ClientToken }),
    ...(source === undefined ? {} : { source: source.identity }),
  });
  const { state, snapshotId, range } = manifest.facts;
  if (range !== undefined && part === undefined) {
    const message = `"${manifest.path}" belongs to a part: give its range and snapshot again`;
    throw new ManifestError('ERR_EBS_MANIFEST_MISMATCH', message, { path: manifest.path });
  }
  if (state !== 'failed') return;
  throw new CompletionError(
    'ERR_EBS_SNAPSHOT_FAILED',
    `${snapshotId ?? 'the snapshot'} was failed by the service in an earlier run`,
    { snapshotId },
  );
}

/** The parent's digests, once; a run that was interrupted meanwhile has them copied again. */
async function inheritFrom(
  basePath: string | undefined,
  manifest: Manifest,
  { params }: UploadPlan,
): Promise<void> {
  const { isInherited, manifestId } = manifest.facts.base ?? {};
  if (basePath === undefined) {
    if (isInherited !== false) return;
    const message = `"${manifest.path}" has only a part of its base: give the base again`;
    throw new ManifestError('ERR_EBS_MANIFEST_MISMATCH', message, { path: manifest.path });
  }
  await using base = await Manifest.open(basePath);
  base.mustBelongTo({ snapshotId: params.ParentSnapshotId ?? '' });
  if (base.facts.range !== undefined) {
    const message = `"${base.path}" is the manifest of a part, and cannot be a base`;
    throw new ManifestError('ERR_EBS_MANIFEST_MISMATCH', message, { path: base.path });
  }
  if (isInherited === true && manifestId === base.id) return;
  await manifest.inherit(base);
}

/** Whether only the end is missing. A page that was damaged since takes the upload back to where blocks are sent. */
async function isAllSent(manifest: Manifest): Promise<boolean> {
  const { state } = manifest.facts;
  // A part is read once more: its source may have changed, and the snapshot is still open.
  if (state === 'sent') await manifest.update({ state: 'started' });
  if (!SEALED_STATES.has(state)) return false;
  const { doubtfulBlocksCount } = await manifest.summary();
  if (doubtfulBlocksCount > 0) await manifest.update({ state: 'started' });
  return doubtfulBlocksCount === 0;
}

/** Notes that blocks up to `endBlock` may be sent, before they are: a source may have grown since the last run. */
async function widenTo(manifest: Manifest, endBlock = 0): Promise<void> {
  if (endBlock > (manifest.facts.readEndBlock ?? 0))
    await manifest.update({ readEndBlock: endBlock });
}

/** Removes a manifest while it is still locked, so that nobody else has it open. */
async function discard(manifest: Manifest): Promise<void> {
  await rm(manifest.path, { force: true });
  await manifest.close();
}
