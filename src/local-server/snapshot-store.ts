import { randomBytes } from 'node:crypto';
import {
  blockKey,
  blockRange,
  decodeBlock,
  encodeBlock,
  lastBlockWithBytes,
  walkBlocks,
  ZERO_DIGEST,
  type BlockRecord,
  type Metadata,
  type OwnedBlock,
} from './block-records.ts';
import { GroupCommit } from './group-commit.ts';
import type { HashedBytes } from './hashed-bytes.ts';
import { computeOwnFigures, judgeSeal, type OwnFigures } from './seal-verdict.ts';
import type { Seal, SnapshotRecord, Tag } from './snapshot-record.ts';
import { openStoreFolder, StoreError, type StoreFolder } from './store-folder.ts';
import type { Slot, VolumeFiles } from './volume-files.ts';

/** A snapshot in memory: its record, and what moves too fast to be stored each time. */
export interface StoredSnapshot {
  record: SnapshotRecord;
  /** Epoch milliseconds of the last accepted write. */
  lastActivityMs: number;
  /** Puts under way, by index. */
  readonly storing: Map<number, Promise<boolean>>;
  /** Settles when the figures of CompleteSnapshot have been judged. */
  judging: Promise<void>;
}

/** What a ClientToken stands for; beside its name it is the operation's own matter. */
export interface TokenRecord {
  readonly name: string;
}

/** A block on its way to the store. */
export interface PutBlock {
  readonly index: number;
  /** BLOCK_SIZE bytes. */
  readonly content: HashedBytes;
  /** What the SHA-256 of these bytes has to be. */
  readonly expectedDigest: Buffer;
}

/** What became of a block that was put; at a mismatch, it is not the one that was expected. */
export type PutOutcome = 'stored' | 'mismatch' | 'sealed' | 'deleted' | 'conflict';

/** Activity is written to the record no more often than this; Timeout counts minutes. */
const ACTIVITY_STORE_MS = 10_000;
/** Zero blocks at the end of a volume that opening looks past to find one that must have bytes. */
const BLOCKS_CHECKED_MAX = 1024;

/**
 * Snapshots, their blocks and the client tokens of one folder. A promise that has resolved is safe against kill -9:
 * bytes and records were handed to the kernel, bytes first.
 *
 * Keys: `s` + id → SnapshotRecord, `t` + region + `/` + client token → what the token stands for, `b…` → see block-records.
 */
export class SnapshotStore {
  readonly tokenKey: Buffer;
  readonly storeId: string;
  readonly #metadata: Metadata;
  readonly #commits: GroupCommit;
  readonly #volumes: VolumeFiles;
  readonly #snapshots = new Map<string, StoredSnapshot>();
  readonly #childCounts = new Map<string, number>();
  /** Verdicts and clean-ups under way; close() waits for them. */
  readonly #background = new Set<Promise<void>>();
  #exclusive: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  private constructor(folder: StoreFolder) {
    this.#metadata = folder.metadata;
    this.#commits = new GroupCommit(folder.metadata);
    this.#volumes = folder.volumes;
    this.tokenKey = Buffer.from(folder.identity.tokenKey, 'hex');
    this.storeId = folder.identity.storeId;
  }

  /**
   * Opens a folder and takes it up where the last server left it, however that ended.
   * @throws {StoreError} see {@link openStoreFolder}; also when blocks on record have no bytes.
   */
  static async open(directory: string): Promise<SnapshotStore> {
    const store = new SnapshotStore(await openStoreFolder(directory));
    try {
      await store.#load(directory);
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  /** Returns a snapshot of a region that is not deleted. */
  find(snapshotId: string, region: string): StoredSnapshot | undefined {
    const snapshot = this.#snapshots.get(snapshotId);
    if (snapshot?.record.region !== region || snapshot.record.isDeleted) return undefined;
    return snapshot;
  }

  /** Walks the snapshots of a region that are not deleted, in no particular order. */
  *list(region: string): Generator<StoredSnapshot> {
    for (const snapshot of this.#snapshots.values()) {
      if (snapshot.record.region === region && !snapshot.record.isDeleted) yield snapshot;
    }
  }

  /** Makes an id that no snapshot of this store ever had: `snap-0` and 16 hex digits. */
  newSnapshotId(): string {
    for (;;) {
      const id = `snap-0${randomBytes(8).toString('hex')}`;
      if (!this.#snapshots.has(id)) return id;
    }
  }

  /** Runs `work` after all earlier work given here has ended. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#exclusive.then(work);
    this.#exclusive = result.catch(() => undefined);
    return result;
  }

  /** Returns what a ClientToken was used for, as it was given to {@link create}. */
  async findToken<T>(region: string, name: string): Promise<T | undefined> {
    const value = await this.#metadata.get(tokenKey(region, name));
    return value === undefined ? undefined : (JSON.parse(value.toString()) as T);
  }

  /** Returns the record of any snapshot, deleted ones included as long as something needs them. */
  recordOf(snapshotId: string): SnapshotRecord | undefined {
    return this.#snapshots.get(snapshotId)?.record;
  }

  /** Adds a snapshot, and in the same step what its ClientToken stands for. */
  async create(record: SnapshotRecord, token?: TokenRecord): Promise<void> {
    // The parent has its child from this moment on, so that deleting it meanwhile leaves its blocks alone.
    const { parentSnapshotId } = record;
    if (parentSnapshotId !== null) this.#countChild(parentSnapshotId, 1);
    try {
      const batch = this.#metadata.batch().put(snapshotKey(record.snapshotId), encodeJson(record));
      if (token !== undefined) {
        batch.put(tokenKey(record.region, token.name), encodeJson(token));
      }
      await batch.write();
    } catch (error) {
      if (parentSnapshotId !== null) this.#countChild(parentSnapshotId, -1);
      throw error;
    }
    this.#add(record);
  }

  /**
   * Stores one block if it has the digest expected. When it was put before with other bytes, those stay whole until the new
   * ones are safe.
   */
  async putBlock(snapshot: StoredSnapshot, block: PutBlock, nowMs: number): Promise<PutOutcome> {
    if (snapshot.record.isDeleted) return 'deleted';
    if (snapshot.record.seal !== null) return 'sealed';
    if (snapshot.storing.has(block.index)) {
      return (await isExpected(block)) ? 'conflict' : 'mismatch';
    }
    const storing = this.#storeBlock(snapshot.record.snapshotId, block);
    snapshot.storing.set(block.index, storing);
    try {
      if (!(await storing)) return 'mismatch';
    } finally {
      snapshot.storing.delete(block.index);
    }
    await this.#noteActivity(snapshot, nowMs);
    return 'stored';
  }

  /**
   * Closes a snapshot for writing and starts to judge it. Puts that are being stored now still count.
   * The caller has checked that it is open.
   */
  async seal(snapshot: StoredSnapshot, seal: Seal): Promise<void> {
    snapshot.record = { ...snapshot.record, seal };
    await this.#save(snapshot);
    this.#judgeInBackground(snapshot);
  }

  /** Returns where the bytes of a block are, looking through the ancestors; undefined when nobody has put it. */
  locate(snapshotId: string, blockIndex: number): (BlockRecord & OwnedBlock) | undefined {
    for (const ownerId of this.chainOf(snapshotId)) {
      const value = this.#metadata.getSync(blockKey(ownerId, blockIndex));
      if (value !== undefined) return { ...decodeBlock(value), ownerId, blockIndex };
    }
    return undefined;
  }

  /** Reads the bytes of a located block into `buffer`. */
  async readBlock(block: BlockRecord & OwnedBlock, buffer: Buffer): Promise<void> {
    const { ownerId: snapshotId, blockIndex, slot } = block;
    if (slot === null) buffer.fill(0);
    else await this.#volumes.read({ snapshotId, blockIndex, slot }, buffer);
  }

  /** Counts and aggregates the blocks put to a snapshot so far. */
  ownFigures(snapshotId: string): Promise<OwnFigures> {
    return computeOwnFigures(this.#metadata, snapshotId, this.#closing.signal);
  }

  /** Walks own and inherited blocks in ascending order; see {@link walkBlocks}. */
  walk(snapshotId: string, startingIndex: number): AsyncGenerator<OwnedBlock> {
    return walkBlocks(this.#metadata, this.chainOf(snapshotId), startingIndex);
  }

  /** The snapshot, its parent, and so on to the root. */
  chainOf(snapshotId: string): string[] {
    const chain: string[] = [];
    let next: string | null = snapshotId;
    while (next !== null) {
      chain.push(next);
      next = this.#snapshots.get(next)?.record.parentSnapshotId ?? null;
    }
    return chain;
  }

  /** Deletes a snapshot. Its blocks stay as long as a descendant reads them, else they are removed in the background. */
  async delete(snapshot: StoredSnapshot): Promise<void> {
    snapshot.record = { ...snapshot.record, isDeleted: true };
    await this.#save(snapshot);
    this.#collectInBackground(snapshot.record.snapshotId);
  }

  /** Replaces the tags of a snapshot. */
  async retag(snapshot: StoredSnapshot, tags: readonly Tag[]): Promise<void> {
    snapshot.record = { ...snapshot.record, tags };
    await this.#save(snapshot);
  }

  /** Ends verdicts and clean-ups at the next safe point and closes every file. No other call may be under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#background);
    // On a full disk a restart would count the Timeout from at most ACTIVITY_STORE_MS earlier; closing goes on.
    await this.#saveActivity().catch(() => undefined);
    await this.#volumes.close();
    await this.#metadata.close();
  }

  /** Resolves when no verdict or clean-up is under way. */
  async settle(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  async #load(directory: string): Promise<void> {
    for await (const value of this.#metadata.values({ gte: 's', lt: 't' })) {
      const record = JSON.parse(value.toString()) as SnapshotRecord;
      this.#add(record);
      if (record.parentSnapshotId !== null) this.#countChild(record.parentSnapshotId, 1);
    }
    for (const snapshot of this.#snapshots.values()) {
      await this.#checkBytes(directory, snapshot.record.snapshotId);
      if (snapshot.record.isDeleted) this.#collectInBackground(snapshot.record.snapshotId);
      else if (snapshot.record.seal !== null && snapshot.record.verdict === null) {
        this.#judgeInBackground(snapshot);
      }
    }
  }

  /** The highest block stands for all: a file that was removed or cut off is found without reading every record. */
  async #checkBytes(directory: string, snapshotId: string): Promise<void> {
    const last = await lastBlockWithBytes(this.#metadata, snapshotId, BLOCKS_CHECKED_MAX);
    if (last === undefined || (await this.#volumes.holds({ snapshotId, ...last }))) return;
    throw new StoreError(
      'STORE_DAMAGED',
      `${directory} is damaged: the bytes of block ${last.blockIndex} of ${snapshotId} are gone.`,
    );
  }

  #add(record: SnapshotRecord): void {
    const { snapshotId, lastActivityMs } = record;
    this.#snapshots.set(snapshotId, {
      record,
      lastActivityMs,
      storing: new Map(),
      judging: Promise.resolve(),
    });
  }

  #countChild(parentSnapshotId: string, change: 1 | -1): void {
    this.#childCounts.set(
      parentSnapshotId,
      (this.#childCounts.get(parentSnapshotId) ?? 0) + change,
    );
  }

  async #noteActivity(snapshot: StoredSnapshot, nowMs: number): Promise<void> {
    snapshot.lastActivityMs = nowMs;
    if (nowMs - snapshot.record.lastActivityMs < ACTIVITY_STORE_MS) return;
    snapshot.record = { ...snapshot.record, lastActivityMs: nowMs };
    await this.#save(snapshot);
  }

  /** Writes what {@link #noteActivity} held back, so that no Timeout ends early after a restart. */
  async #saveActivity(): Promise<void> {
    const unsaved = [...this.#snapshots.values()].filter(
      ({ record, lastActivityMs }) => record.lastActivityMs !== lastActivityMs,
    );
    for (const snapshot of unsaved) {
      const { record, lastActivityMs } = snapshot;
      snapshot.record = { ...record, lastActivityMs };
    }
    await Promise.all(unsaved.map((snapshot) => this.#save(snapshot)));
  }

  /** The queue keeps the order, so that an older state of a record never overwrites a newer one. */
  #save({ record }: StoredSnapshot): Promise<void> {
    return this.#commits.put(snapshotKey(record.snapshotId), encodeJson(record));
  }

  /** Returns whether the block is the one expected, and so is stored. */
  async #storeBlock(snapshotId: string, block: PutBlock): Promise<boolean> {
    const { index: blockIndex, content, expectedDigest } = block;
    const key = blockKey(snapshotId, blockIndex);
    const known = this.#metadata.getSync(key);
    const earlier = known === undefined ? undefined : decodeBlock(known);
    if (earlier?.digest.equals(expectedDigest) === true) return isExpected(block);
    const slot = slotFor(expectedDigest, earlier);
    const isRight =
      slot === null
        ? await isExpected(block)
        : await this.#volumes.write({ snapshotId, blockIndex, slot }, (fd, offset) =>
            content.save({ fd, offset, expectedDigest }),
          );
    if (isRight) await this.#commits.put(key, encodeBlock({ slot, digest: expectedDigest }));
    return isRight;
  }

  #judgeInBackground(snapshot: StoredSnapshot): void {
    snapshot.judging = this.#inBackground(async () => {
      // Puts that were being stored when the seal came still belong to the snapshot.
      await Promise.allSettled(snapshot.storing.values());
      const [, ...ancestors] = this.chainOf(snapshot.record.snapshotId);
      const parent = ancestors[0] === undefined ? undefined : this.recordOf(ancestors[0]);
      const verdict = await judgeSeal(this.#metadata, snapshot.record, {
        ancestors,
        parentBlockCount: parent?.verdict?.totalBlockCount ?? 0,
        signal: this.#closing.signal,
      });
      snapshot.record = { ...snapshot.record, verdict };
      await this.#save(snapshot);
    });
  }

  #collectInBackground(snapshotId: string): void {
    void this.#inBackground(async () => {
      let next: string | null = snapshotId;
      while (next !== null && !this.#closing.signal.aborted) {
        const snapshot = this.#snapshots.get(next);
        if (snapshot?.record.isDeleted !== true || (this.#childCounts.get(next) ?? 0) > 0) return;
        await Promise.allSettled(snapshot.storing.values());
        // Records first: bytes without a record are no damage, should the server die in between.
        await this.#metadata.clear(blockRange(next));
        await this.#volumes.remove(next);
        await this.#metadata.del(snapshotKey(next));
        this.#snapshots.delete(next);
        this.#childCounts.delete(next);
        next = snapshot.record.parentSnapshotId;
        if (next !== null) this.#countChild(next, -1);
      }
    });
  }

  /** Failures here are not lost: what was not finished is on record and is taken up when the folder is opened again. */
  #inBackground(work: () => Promise<void>): Promise<void> {
    const running: Promise<void> = work()
      .catch(() => undefined)
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
    return running;
  }
}

async function isExpected({ content, expectedDigest }: PutBlock): Promise<boolean> {
  return (await content.digest()).equals(expectedDigest);
}

/** Zeros need no bytes; a block put again goes to the copy that does not hold the earlier bytes. */
function slotFor(digest: Buffer, earlier: BlockRecord | undefined): Slot | null {
  if (digest.equals(ZERO_DIGEST)) return null;
  return earlier?.slot === 0 ? 1 : 0;
}

function snapshotKey(snapshotId: string): string {
  return `s${snapshotId}`;
}

function tokenKey(region: string, clientToken: string): string {
  return `t${region}/${clientToken}`;
}

function encodeJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
