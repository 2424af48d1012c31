import { lockOfAddon } from './engine/lock-of-addon.ts';
import type { ManifestFacts } from './manifest/manifest-facts.ts';
import { Manifest } from './manifest/manifest.ts';
import type { RestoreRecords } from './pipeline/restore-records.ts';

/** Of which snapshot a manifest is built, and where. */
export interface SnapshotManifestPlan {
  readonly path: string;
  /** Whether there may be one to go on with. */
  readonly isResume: boolean;
  readonly snapshotId: string;
  readonly volumeSizeGiB: number;
  /** Told when digests cannot be written any more. */
  readonly onFailure: (error: Error) => void;
}

/**
 * A manifest that is built from a completed snapshot. The snapshot never changes, so a digest that was learned once holds,
 * whenever that was. It is `started` until all of them are here: only then it may be a base.
 */
export class SnapshotManifest implements RestoreRecords {
  readonly #manifest: Manifest;

  private constructor(manifest: Manifest) {
    this.#manifest = manifest;
  }

  /**
   * Makes a manifest, or opens one to go on with.
   * @throws {ManifestError} when it exists, cannot be opened, is locked, is an upload's, or of another snapshot.
   */
  static async open(plan: SnapshotManifestPlan): Promise<SnapshotManifest> {
    const { path, isResume, snapshotId, volumeSizeGiB } = plan;
    const facts: ManifestFacts = {
      state: 'started',
      volumeSizeGiB,
      clientToken: '',
      parameters: {},
      zeroBlocks: 'write',
      snapshotId,
      origin: 'snapshot',
    };
    const options = { tryLock: lockOfAddon(), onFailure: plan.onFailure };
    const manifest = isResume
      ? await Manifest.resume(path, { ...options, factsIfNew: facts })
      : await Manifest.create(path, facts, options);
    try {
      manifest.mustBelongTo({ kind: 'snapshot', snapshotId, volumeSizeGiB });
      await forgetDamage(manifest);
    } catch (error) {
      await manifest.close();
      throw error;
    }
    return new SnapshotManifest(manifest);
  }

  async isThere(blockIndex: number): Promise<boolean> {
    // Asked before each block is read: a slow disk holds up the reading.
    await this.#manifest.whenReady();
    return (await this.#manifest.digestOf(blockIndex)).state === 'inherited';
  }

  written(blockIndex: number, digest: Uint8Array): void {
    this.#manifest.learn(blockIndex, digest);
  }

  /** Notes, on the disk, that all digests are here. */
  finish(): Promise<void> {
    return this.#manifest.update({ state: 'completed' });
  }

  /** Closes the file; what was learned outlives the process. */
  close(): Promise<void> {
    return this.#manifest.close();
  }
}

/** Blocks of a damaged page are not known; those that the snapshot has are learned again. */
async function forgetDamage(manifest: Manifest): Promise<void> {
  const { doubtfulBlocksCount } = await manifest.summary();
  if (doubtfulBlocksCount === 0) return;
  await manifest.update({ state: 'started' });
  for await (const run of manifest.records()) {
    for (const { blockIndex, state } of run) {
      if (state !== 'doubtful') continue;
      manifest.forget(blockIndex);
      await manifest.whenReady();
    }
  }
}
