import { ManifestError, type ErrorCode } from './base/errors.ts';
import { volumeBlockCount } from './base/units.ts';
import { lockOfAddon } from './engine/lock-of-addon.ts';
import { MANIFEST_STATES, type ManifestState } from './manifest/manifest-facts.ts';
import { Manifest } from './manifest/manifest.ts';
import type { RecordedBlocks } from './pipeline/upload-records.ts';

/** The manifests of all parts of one snapshot, locked against whoever would still write them. */
export class SnapshotParts {
  readonly snapshotId: string;
  readonly #parts: readonly Manifest[];

  private constructor(parts: readonly Manifest[], snapshotId: string) {
    this.#parts = parts;
    this.snapshotId = snapshotId;
  }

  /**
   * Opens and locks the manifests.
   * @throws {ManifestError} when one cannot be opened, is in use, or is of something else than the others; when a part is not
   * finished, or blocks of the volume are in none of them.
   */
  static async open(paths: readonly string[], snapshotId: string): Promise<SnapshotParts> {
    const opened: Manifest[] = [];
    const parts = new SnapshotParts(opened, snapshotId);
    try {
      for (const path of paths)
        opened.push(await Manifest.resume(path, { tryLock: lockOfAddon() }));
      parts.#mustBelongTogether();
      parts.#mustBeFinished();
      parts.#mustCoverVolume();
      return parts;
    } catch (error) {
      await parts[Symbol.asyncDispose]();
      throw error;
    }
  }

  get count(): number {
    return this.#parts.length;
  }

  get volumeSizeGiB(): number {
    return this.#first.facts.volumeSizeGiB;
  }

  get omitsZeroBlocks(): boolean {
    return this.#first.facts.zeroBlocks === 'omit';
  }

  /** Whether CompleteSnapshot may have been called in an earlier run. */
  get wasCompleting(): boolean {
    return this.#parts.some(({ facts }) => stepOf(facts.state) > stepOf('sent'));
  }

  /** When the snapshot was started, as far as a part knows; long ago when none does. */
  get startTimeMs(): number {
    const times = this.#parts.map(({ facts }) => Date.parse(String(facts.answer?.StartTime)));
    return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
  }

  /**
   * What CompleteSnapshot is to be told.
   * @throws {ManifestError} ERR_EBS_PARTS_CONFLICT, ERR_EBS_MANIFEST_DOUBTFUL, ERR_EBS_PARTS_INCOMPLETE.
   */
  async summary(): Promise<RecordedBlocks> {
    const summary = await Manifest.summaryOfParts(this.#parts);
    const { contradiction, doubtfulBlocksCounts, changedBlocksCount, aggregateDigest } = summary;
    if (contradiction !== undefined) {
      const [one, other] = contradiction.parts.map((part) => this.#parts[part] ?? this.#first);
      const message = `block ${contradiction.blockIndex} is not the same in "${one?.path}" and "${other?.path}": the source changed between them`;
      throw refusal('ERR_EBS_PARTS_CONFLICT', message, one?.path);
    }
    for (const [part, count] of doubtfulBlocksCounts.entries()) {
      if (count === 0) continue;
      const { path } = this.#parts[part] ?? this.#first;
      const message = `"${path}" does not know what was sent for ${count} of its blocks: run its part again`;
      throw Object.assign(refusal('ERR_EBS_MANIFEST_DOUBTFUL', message, path), { resumable: true });
    }
    const missing = volumeBlockCount(this.volumeSizeGiB) - changedBlocksCount;
    if (!this.omitsZeroBlocks && missing > 0) {
      throw incomplete(`${missing} blocks of the volume are in none of the parts`);
    }
    return { changedBlocksCount, aggregateDigest };
  }

  /** Notes in every part how far the snapshot is; it never goes back. */
  async advance(state: ManifestState): Promise<void> {
    const behind = this.#parts.filter(({ facts }) => stepOf(facts.state) < stepOf(state));
    await Promise.all(behind.map((part) => part.update({ state })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#parts.map((part) => part.close()));
  }

  get #first(): Manifest {
    const [first] = this.#parts;
    if (first === undefined) throw new TypeError('there are no parts');
    return first;
  }

  #mustBelongTogether(): void {
    const { snapshotId } = this;
    const { volumeSizeGiB, zeroBlocks } = this.#first.facts;
    let source = this.#first.facts.source;
    for (const part of this.#parts) {
      if (part.facts.range === undefined) {
        throw refusal('ERR_EBS_MANIFEST_MISMATCH', `"${part.path}" is not of a part`, part.path);
      }
      const same = { snapshotId, volumeSizeGiB, zeroBlocks };
      part.mustBelongTo(source === undefined ? same : { ...same, source });
      source ??= part.facts.source;
    }
  }

  #mustBeFinished(): void {
    for (const { path, facts } of this.#parts) {
      if (facts.state === 'failed') {
        throw refusal(
          'ERR_EBS_SNAPSHOT_FAILED',
          `${this.snapshotId} was failed by the service in an earlier run`,
          path,
        );
      }
      if (stepOf(facts.state) >= stepOf('sent')) continue;
      throw incomplete(`the part of "${path}" is not finished: run it again with --resume`, path);
    }
  }

  #mustCoverVolume(): void {
    const ranges = this.#parts.flatMap(({ facts }) => facts.range ?? []);
    ranges.sort((a, b) => a.firstBlock - b.firstBlock);
    let coveredTo = 0;
    for (const { firstBlock, endBlock } of ranges) {
      if (firstBlock > coveredTo) break;
      coveredTo = Math.max(coveredTo, endBlock);
    }
    const blockCount = volumeBlockCount(this.volumeSizeGiB);
    if (coveredTo >= blockCount) return;
    const next = ranges.find(({ firstBlock }) => firstBlock > coveredTo)?.firstBlock ?? blockCount;
    throw incomplete(`blocks ${coveredTo} to ${next - 1} are in none of the parts`);
  }
}

function stepOf(state: ManifestState): number {
  return MANIFEST_STATES.indexOf(state);
}

function incomplete(message: string, path?: string): ManifestError {
  const error = refusal('ERR_EBS_PARTS_INCOMPLETE', message, path);
  return Object.assign(error, { resumable: true });
}

function refusal(code: ErrorCode, message: string, path: string | undefined): ManifestError {
  return new ManifestError(code, message, { path });
}
