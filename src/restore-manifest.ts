import { rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ManifestError } from './base/errors.ts';
import { syncFolder } from './base/sync-folder.ts';
import type { ChangedSince } from './changed-since.ts';
import type { Engine } from './engine/engine.ts';
import { KeptBlocks } from './kept-blocks.ts';
import { lockOfAddon } from './engine/lock-of-addon.ts';
import { differenceOf } from './manifest/expected-facts.ts';
import type { ManifestFacts } from './manifest/manifest-facts.ts';
import { Manifest, type ManifestOptions } from './manifest/manifest.ts';
import { identifySource, type SourceIdentity } from './manifest/source-identity.ts';
import type { RestoreRecords } from './pipeline/restore-records.ts';
import { SyncedRecords } from './synced-records.ts';
import type { Target } from './target/target.ts';

/** What a restore with a manifest is about to do. */
export interface RestorePlan {
  /** The manifest. */
  readonly path: string;
  readonly snapshotId: string;
  /** The file or device that is restored to. */
  readonly target: string;
  /** The manifest of what the target holds. */
  readonly basePath: string | undefined;
  readonly force: boolean;
  readonly engine: Engine;
}

/** What a manifest that is there means for the restore. */
type Meaning =
  /** There is none, or it has no records yet. */
  | 'new'
  /** It is of this snapshot. */
  | 'resume'
  /** It is the base, and becomes the restore's own. */
  | 'rebase'
  /** It is of another restore to a target that is about to be written over. */
  | 'replace';

/** The manifest of a restore: what an earlier run has written, and what this one writes. */
export class RestoreManifest implements RestoreRecords {
  /** Whether blocks of the target may stay, and whether the target is known to be of an earlier restore. */
  readonly keeps: { readonly isOurs: boolean } | undefined;
  /** Told when the target or the manifest cannot be written any more. */
  onFailure: (error: Error) => void = () => undefined;
  readonly #plan: RestorePlan;
  readonly #found: Found;
  #manifest: Manifest | undefined;
  #records: SyncedRecords | undefined;
  #kept: KeptBlocks | undefined;
  #changed: ChangedSince | undefined;
  #hasRecords = false;

  private constructor(plan: RestorePlan, found: Found) {
    this.#plan = plan;
    this.#found = found;
    const { meaning, base, isOurs } = found;
    if (meaning === 'resume' || base !== undefined) this.keeps = { isOurs };
  }

  /**
   * Looks at what is there, and changes nothing.
   * @throws {ManifestError} when the manifest, or the base, cannot be used for this restore.
   */
  static async find(plan: RestorePlan): Promise<RestoreManifest> {
    const own = await factsOf(plan.path);
    const meaning = meaningOf(own, plan);
    const isBaseOwn = meaning === 'resume' && isOwnBase(plan);
    const base =
      plan.basePath === undefined || isBaseOwn ? undefined : await baseFacts(plan.basePath);
    const unfinished = own !== undefined && own.state !== 'completed' ? own.target : undefined;
    const isOurs =
      (await isSameFile(plan.target, unfinished)) || (await isSameFile(plan.target, base?.target));
    return new RestoreManifest(plan, { meaning, base, isOurs });
  }

  /** The snapshot whose blocks the target may hold, where that is another one; known once it has begun. */
  get baseSnapshotId(): string | undefined {
    const { base, snapshotId } = this.#opened.facts;
    return base === undefined || base.snapshotId === snapshotId ? undefined : base.snapshotId;
  }

  /**
   * Makes the manifest, or opens it to go on, locked against every other run. The target is not touched before.
   * @throws {ManifestError} also ERR_EBS_MANIFEST_LOCKED.
   */
  async begin(volumeSizeGiB: number): Promise<void> {
    const { path, snapshotId, basePath } = this.#plan;
    const tryLock = lockOfAddon();
    const options = { tryLock, onFailure: (error: Error) => this.onFailure(error) };
    const facts = plannedFacts(this.#plan, volumeSizeGiB, this.#found.base?.target);
    const { meaning } = this.#found;
    if (meaning === 'rebase') {
      this.#manifest = await rebase(path, facts, options);
      return;
    }
    if (meaning === 'replace') await discard(await Manifest.resume(path, options), path);
    const manifest = await Manifest.resume(path, { ...options, factsIfNew: facts });
    try {
      manifest.mustBelongTo({ snapshotId, volumeSizeGiB });
      const isInherited = manifest.facts.state !== 'planned' || manifest.facts.base?.isInherited;
      if (basePath !== undefined && isInherited !== true) await inheritFrom(basePath, manifest);
      this.#manifest = manifest;
    } catch (error) {
      await (manifest.isNew ? discard(manifest, path) : manifest.close());
      throw error;
    }
  }

  /**
   * Notes which file or device it is, once that is open, and how to learn which blocks have changed since the base.
   * @throws the errno of a target that cannot be examined.
   */
  async started(
    target: Target,
    {
      sizeBytes,
      changed,
    }: { readonly sizeBytes: number; readonly changed: ChangedSince | undefined },
  ): Promise<void> {
    const { engine, target: path } = this.#plan;
    const identity = await identifySource(path, sizeBytes);
    // From here on the target is known by what it is: what it is has to be on the disk by then.
    await target.sync();
    if (identity.kind === 'file') await syncFolder(dirname(path));
    await this.#opened.update({ state: 'started', target: identity });
    this.#records = new SyncedRecords(target, this.#opened, (error) => this.onFailure(error));
    this.#changed = changed;
    if (this.keeps !== undefined) this.#kept = new KeptBlocks(engine, path);
  }

  /** As RestoreRecords tells: by the record, and by reading the target, which may have been changed since. */
  async isThere(blockIndex: number): Promise<boolean> {
    if (this.#kept === undefined) return false;
    const { state, digest } = await this.#opened.digestOf(blockIndex);
    if (digest === undefined) return false;
    if (state === 'inherited' && (await this.#hasChanged(blockIndex))) return false;
    if (!(await this.#kept.has(blockIndex, digest))) return false;
    if (state === 'inherited') this.written(blockIndex, digest);
    this.#hasRecords = true;
    await this.#opened.whenReady();
    return true;
  }

  written(blockIndex: number, digest: Uint8Array): void {
    this.#hasRecords = true;
    this.#records?.add(blockIndex, digest);
  }

  /** Resolves when all that was written is recorded. The target must be open still. */
  async flush(): Promise<void> {
    await this.#records?.flush();
  }

  /** Ends the manifest of a restore that is done: it is kept, as a base for later, or removed. */
  async finish({ isKept }: { readonly isKept: boolean }): Promise<void> {
    await this.#stopReading();
    if (!isKept) return discard(this.#opened, this.#plan.path);
    await forgetUnwritten(this.#opened);
    const { target } = this.#opened.facts;
    if (target === undefined) throw new TypeError('the restore has not been started');
    const identity = await identifySource(this.#plan.target, target.sizeBytes);
    await this.#opened.update({ state: 'completed', target: identity });
    await this.#opened.close();
  }

  /**
   * Closes the manifest of a restore that was stopped.
   * @returns whether a later run can go on with it; otherwise it is removed, if it was made in vain.
   */
  async stop(): Promise<boolean> {
    await this.#stopReading();
    if (this.#manifest === undefined) return false;
    const isResumable = this.#hasRecords || !this.#manifest.isNew;
    // One that cannot be written any more still tells of what was written before.
    await (isResumable ? this.#manifest.close() : discard(this.#manifest, this.#plan.path)).catch(
      () => undefined,
    );
    return isResumable;
  }

  get #opened(): Manifest {
    if (this.#manifest === undefined) throw new TypeError('the restore has not begun');
    return this.#manifest;
  }

  async #hasChanged(blockIndex: number): Promise<boolean> {
    if (this.baseSnapshotId === undefined) return false;
    return this.#changed === undefined || (await this.#changed.has(blockIndex));
  }

  async #stopReading(): Promise<void> {
    await this.#kept?.close();
    await this.#changed?.close();
  }
}

/** What was found before anything was changed. */
interface Found {
  readonly meaning: Meaning;
  /** What the base's manifest tells; absent when the restore's own has its digests already. */
  readonly base: ManifestFacts | undefined;
  /** Whether the target is the file of an unfinished restore, or of the base. */
  readonly isOurs: boolean;
}

function meaningOf(facts: ManifestFacts | undefined, plan: RestorePlan): Meaning {
  const { path, snapshotId, basePath, force } = plan;
  if (facts === undefined) return 'new';
  const difference = isOwnBase(plan) ? undefined : differenceOf(facts, { kind: 'restore' });
  if (difference !== undefined) throw mismatch(path, difference);
  if (facts.snapshotId === snapshotId) return 'resume';
  if (isOwnBase(plan)) return 'rebase';
  if (force && basePath === undefined) return 'replace';
  throw mismatch(path, `to a restore of ${facts.snapshotId ?? 'another snapshot'}`);
}

function isOwnBase({ path, basePath }: RestorePlan): boolean {
  return basePath !== undefined && resolve(basePath) === resolve(path);
}

function mismatch(path: string, owner: string): ManifestError {
  const message = `"${path}" belongs to something else: ${owner}`;
  return new ManifestError('ERR_EBS_MANIFEST_MISMATCH', message, { path });
}

/** What a manifest tells; undefined when there is none, or none that has been written yet. */
async function factsOf(path: string): Promise<ManifestFacts | undefined> {
  try {
    await using manifest = await Manifest.open(path);
    return manifest.facts;
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: { code?: string } };
    // A foreign file is refused when it is opened for writing, which knows one that was only begun.
    if (code === 'ERR_EBS_MANIFEST_FOREIGN' || cause?.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function baseFacts(path: string): Promise<ManifestFacts> {
  await using manifest = await Manifest.open(path);
  const { facts } = manifest;
  if (facts.state === 'completed') return facts;
  throw mismatch(path, `to a snapshot that is ${facts.state}, not completed`);
}

/** A file that was planned has no identity yet: any file without data is as good, since nothing is lost with it. */
async function isSameFile(path: string, identity: SourceIdentity | undefined): Promise<boolean> {
  if (identity?.kind !== 'file') return false;
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found?.isFile() !== true) return false;
  if (identity.inode === undefined) return found.blocks === 0n;
  return String(found.ino) === identity.inode && String(found.dev) === identity.fileSystem;
}

function plannedFacts(
  { snapshotId, target }: RestorePlan,
  volumeSizeGiB: number,
  known: SourceIdentity | undefined,
): ManifestFacts {
  return {
    state: 'planned',
    volumeSizeGiB,
    clientToken: '',
    parameters: {},
    zeroBlocks: 'write',
    snapshotId,
    target: known ?? { kind: 'file', path: resolve(target), sizeBytes: 0 },
  };
}

async function inheritFrom(basePath: string, manifest: Manifest): Promise<void> {
  await using base = await Manifest.open(basePath);
  await manifest.inherit(base);
}

/** Makes the new manifest from the one whose place it takes, which stays whole until it has. */
async function rebase(
  path: string,
  facts: ManifestFacts,
  options: ManifestOptions,
): Promise<Manifest> {
  // Locked, so that no other run does the same.
  await using base = await Manifest.resume(path, options);
  const newPath = `${path}.new`;
  await rm(newPath, { force: true });
  const manifest = await Manifest.create(newPath, facts, options);
  try {
    await manifest.inherit(base);
    await rename(newPath, path);
    await syncFolder(dirname(path));
    return manifest;
  } catch (error) {
    await discard(manifest, newPath);
    throw error;
  }
}

/** What only the base has is not in the snapshot: it was cleared. */
async function forgetUnwritten(manifest: Manifest): Promise<void> {
  for await (const run of manifest.records()) {
    for (const { blockIndex, state } of run) {
      if (state === 'inherited' || state === 'doubtful') manifest.forget(blockIndex);
    }
    await manifest.whenReady();
  }
}

/** Removes a manifest while it is still locked, so that nobody else has it open. */
async function discard(manifest: Manifest, path: string): Promise<void> {
  await rm(path, { force: true });
  await manifest.close();
}
