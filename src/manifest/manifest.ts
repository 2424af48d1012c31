import { DIGEST_SIZE } from '../base/constants.ts';
import { ManifestError } from '../base/errors.ts';
import { toHex } from '../base/digest.ts';
import { volumeBlockCount } from '../base/units.ts';
import { ABSENT, DOUBTFUL, INHERITED, rowOfBlock, WRITTEN } from './digest-page.ts';
import type { TryLock } from './file-lock.ts';
import { writeHeader } from './header-copies.ts';
import type { Header } from './header.ts';
import { copyInherited } from './inherit.ts';
import { PAGE_RECORDS, pageCountOf, pageOfBlock } from './layout.ts';
import { clearHolder } from './lock-holder.ts';
import { differenceOf, type ExpectedFacts } from './expected-facts.ts';
import type { ManifestFacts } from './manifest-facts.ts';
import { openForReading, openForWriting, type OpenedManifest } from './open-manifest.ts';
import { PageCache } from './page-cache.ts';
import type { PageContext } from './page-reader.ts';
import { scanSegments } from './page-scan.ts';
import { RecordRun, type BlockRecord } from './record-run.ts';
import { RecordWriter } from './record-writer.ts';
import { summarizeParts, type PartsSummary } from './summarize-parts.ts';
import { summarize, type ManifestSummary } from './summarize.ts';

/** How a manifest is opened. */
export interface ManifestOptions {
  /** The addon's `lockFile`; without it a program of the system locks, which takes some milliseconds. */
  readonly tryLock?: TryLock | undefined;
  /** Told once when records cannot be written any more; flush, sync, update and close throw it as well. */
  readonly onFailure?: (error: Error) => void;
}

/**
 * The file that knows of each block of a volume what the service has acknowledged: for going on after a crash, as the
 * base of the next snapshot, and for comparing. docs/manifest.md has its format and what it promises.
 *
 * Blocks are recorded after the service has acknowledged them, never before. A block about which the manifest says
 * anything else than the digest that is now sent must be made doubtful before it is sent ({@link doubt}).
 *
 * Memory: about 2 MiB, whatever the volume. Every method but `record` may throw ERR_EBS_MANIFEST_IO.
 */
export class Manifest {
  readonly path: string;
  /** Hex of the 16 random bytes that tell it from every other manifest. */
  readonly id: string;
  readonly blockCount: number;
  /** Whether it was made by this very call. */
  readonly isNew: boolean;
  readonly #isWritable: boolean;
  readonly #context: PageContext;
  readonly #cache = new PageCache();
  readonly #writer: RecordWriter;
  #header: Header;
  #isClosed = false;

  private constructor(opened: OpenedManifest, { onFailure = () => undefined }: ManifestOptions) {
    const { file, header, segments } = opened;
    const { volumeSizeGiB } = header.facts;
    this.path = file.path;
    this.id = toHex(header.manifestId);
    this.blockCount = volumeBlockCount(volumeSizeGiB);
    this.isNew = opened.isNew;
    this.#isWritable = opened.isWritable;
    this.#header = header;
    this.#context = {
      file,
      segments,
      manifestId: header.manifestId,
      blockCount: this.blockCount,
      pageCount: pageCountOf(volumeSizeGiB),
      range: header.facts.range ?? { firstBlock: 0, endBlock: this.blockCount },
      trustedPages: header.trustedPages,
    };
    this.#writer = new RecordWriter(this.#context, this.#cache, onFailure);
  }

  /**
   * Makes a new manifest, locked against every other run until it is closed or the process is gone.
   * @throws {ManifestError} ERR_EBS_MANIFEST_EXISTS when there is such a file, whatever it holds;
   * ERR_EBS_MANIFEST_LOCKED when another run has it open for writing; ERR_EBS_MANIFEST_OPEN.
   * @throws {RangeError} ERR_OUT_OF_RANGE when the facts do not fit the header's 64 KiB.
   */
  static async create(
    path: string,
    facts: ManifestFacts,
    options: ManifestOptions = {},
  ): Promise<Manifest> {
    const { tryLock } = options;
    const how = { factsIfNew: facts, mayExist: false, tryLock };
    return new Manifest(await openForWriting(path, how), options);
  }

  /**
   * Opens a manifest to go on with it, locked as a new one is.
   * @param factsIfNew - what to make one with when there is none; without them that is an error.
   * @throws {ManifestError} ERR_EBS_MANIFEST_OPEN, also when there is none; ERR_EBS_MANIFEST_LOCKED;
   * ERR_EBS_MANIFEST_FOREIGN when the file is no manifest, or of another version; ERR_EBS_MANIFEST_DAMAGED when neither
   * copy of its header is whole.
   */
  static async resume(
    path: string,
    options: ManifestOptions & { readonly factsIfNew?: ManifestFacts } = {},
  ): Promise<Manifest> {
    const { factsIfNew, tryLock } = options;
    const how = { factsIfNew, mayExist: true, tryLock };
    return new Manifest(await openForWriting(path, how), options);
  }

  /**
   * Opens a manifest to read it, as a base or to compare. It is not locked: nobody else should be writing it.
   * @throws {ManifestError} as {@link resume}, ERR_EBS_MANIFEST_LOCKED excepted.
   */
  static async open(path: string): Promise<Manifest> {
    return new Manifest(await openForReading(path), {});
  }

  /** As {@link summary}, of the snapshot that parts of one volume size make together, in one pass over all of them. */
  static async summaryOfParts(parts: readonly Manifest[]): Promise<PartsSummary> {
    for (const part of parts) await part.#flushIfWritable();
    return summarizeParts(parts.map((part) => part.#context));
  }

  /** What the header tells of the snapshot. */
  get facts(): ManifestFacts {
    return this.#header.facts;
  }

  /**
   * Makes sure that the manifest is of what the caller is about to do.
   * @throws {ManifestError} ERR_EBS_MANIFEST_MISMATCH naming the first thing that is not as expected.
   */
  mustBelongTo(expected: ExpectedFacts): void {
    const difference = differenceOf(this.facts, expected);
    if (difference === undefined) return;
    const message = `"${this.path}" belongs to something else: ${difference}`;
    throw new ManifestError('ERR_EBS_MANIFEST_MISMATCH', message, { path: this.path });
  }

  /**
   * Records that the service has acknowledged a block in this snapshot. Takes no time and cannot fail: the file is
   * written some milliseconds later. A later digest for the same block takes the place of the first.
   * @param digest - 32 bytes, copied.
   */
  record(blockIndex: number, digest: Uint8Array): void {
    this.#checkWritable();
    this.#checkInRange(blockIndex);
    checkDigest(digest);
    this.#writer.set(blockIndex, WRITTEN, digest);
  }

  /**
   * Resolves when it is on the disk that nobody knows what the service has of a block. To be waited for before a block
   * is sent that has a record which says otherwise: without it a source that changes, and changes back after a crash,
   * would pass for what the service has. A block without a record needs it where no record has a meaning, that is with a
   * base or when zero blocks are left out. Many calls share one sync.
   */
  async doubt(blockIndex: number): Promise<void> {
    this.#checkWritable();
    this.#checkInRange(blockIndex);
    this.#writer.set(blockIndex, DOUBTFUL);
    await this.#writer.sync();
  }

  /** Records what the service has of a block, as it was read from there; otherwise as {@link record}. */
  learn(blockIndex: number, digest: Uint8Array): void {
    this.#checkWritable();
    this.#checkInRange(blockIndex);
    checkDigest(digest);
    this.#writer.set(blockIndex, INHERITED, digest);
  }

  /** Takes back what is known of a block, as if it had never been recorded; otherwise as {@link record}. */
  forget(blockIndex: number): void {
    this.#checkWritable();
    this.#checkInRange(blockIndex);
    this.#writer.set(blockIndex, ABSENT);
  }

  /** Undefined as long as more may be recorded; otherwise, with a slow disk, resolves when there is room again. */
  whenReady(): Promise<void> | undefined {
    return this.#writer.whenReady();
  }

  /** Resolves when all that was recorded would outlive this process. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /** Resolves when all that was recorded would outlive the machine. */
  sync(): Promise<void> {
    return this.#writer.sync();
  }

  /** The record of a block. Cheap when blocks are asked for in about their order. */
  async digestOf(blockIndex: number): Promise<BlockRecord> {
    return (await this.read(blockIndex, 1)).at(0);
  }

  /** The records of neighbouring blocks, for comparing them with what was read. Memory: 33 bytes a block. */
  async read(firstBlock: number, blockCount: number): Promise<RecordRun> {
    this.#checkRange(firstBlock, blockCount);
    const run = new RecordRun(firstBlock, blockCount);
    for (let position = 0; position < blockCount;) {
      const cached = this.#cache.at(pageOfBlock(firstBlock + position));
      const firstRow = rowOfBlock(firstBlock + position);
      const count = Math.min(PAGE_RECORDS - firstRow, blockCount - position);
      if (!cached.knows(firstRow) || count > 1) await cached.load(this.#context);
      run.setFrom(cached.page, { position, firstRow, count });
      position += count;
    }
    return run;
  }

  /**
   * All records in the order of their blocks, a page at a time, from that of `fromBlock` or a little before; pages without
   * any are left out. What was recorded before is in it; while it runs, only blocks that it has told of already may be
   * recorded.
   */
  async *records(fromBlock = 0): AsyncGenerator<RecordRun, void, undefined> {
    await this.#flushIfWritable();
    for await (const pages of scanSegments(this.#context, pageOfBlock(fromBlock))) {
      for (const { page, pageNumber, recordCount } of pages) {
        const run = new RecordRun(pageNumber * PAGE_RECORDS, recordCount);
        run.setFrom(page, { position: 0, firstRow: 0, count: recordCount });
        yield run;
      }
    }
  }

  /** Counts and hashes all records, at the speed of SHA-256. Nothing may be recorded meanwhile. */
  async summary(): Promise<ManifestSummary> {
    await this.#flushIfWritable();
    return summarize(this.#context);
  }

  /**
   * Changes facts, durably and as a whole: after a crash the header has all of the changes or none. All that was recorded
   * before is on the disk before the header is touched. One call at a time.
   */
  async update(changes: Partial<Omit<ManifestFacts, 'volumeSizeGiB'>>): Promise<void> {
    this.#checkWritable();
    await this.#writer.sync();
    const { sequence, facts } = this.#header;
    const header = { ...this.#header, sequence: sequence + 1, facts: { ...facts, ...changes } };
    await writeHeader(this.#context.file, header);
    this.#header = header;
  }

  /**
   * Takes over the digests of the parent's manifest, all of them, into a manifest without records; at its end the facts
   * tell so. Interrupted, it is called again with the same base.
   * @throws {ManifestError} ERR_EBS_MANIFEST_MISMATCH when the base is not of a completed snapshot, of a larger volume,
   * or another one than before.
   */
  async inherit(base: Manifest): Promise<void> {
    this.#checkWritable();
    const fault = this.#faultOfBase(base);
    if (fault !== undefined) {
      const message = `"${base.path}" cannot be the base of "${this.path}": ${fault}`;
      throw new ManifestError('ERR_EBS_MANIFEST_MISMATCH', message, { path: base.path });
    }
    const identity = {
      snapshotId: base.facts.snapshotId ?? '',
      manifestId: base.id,
      absentIsZero: absentIsZeroIn(base.facts),
    };
    await this.update({ base: { ...identity, isInherited: false } });
    await copyInherited(base.#context, this.#context);
    this.#cache.clear();
    await this.update({ base: { ...identity, isInherited: true } });
  }

  /** Writes what is left, gives the lock back and closes the file. Records are the kernel's then, not yet the disk's. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { file } = this.#context;
    try {
      await this.#flushIfWritable();
      if (this.#isWritable) await clearHolder(file);
    } finally {
      await file.close();
    }
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #faultOfBase({ facts, id, blockCount }: Manifest): string | undefined {
    const { base, state } = this.facts;
    if (facts.state !== 'completed') return `its snapshot is ${facts.state}, not completed`;
    if (blockCount > this.blockCount) {
      const { volumeSizeGiB } = this.facts;
      return `its volume of ${facts.volumeSizeGiB} GiB is larger than the ${volumeSizeGiB} GiB of its child`;
    }
    if (base !== undefined && base.manifestId !== id)
      return 'it is not the one that was begun with';
    if (state !== 'planned') return 'the snapshot was started without it';
    return undefined;
  }

  async #flushIfWritable(): Promise<void> {
    if (this.#isWritable) await this.#writer.flush();
  }

  #checkWritable(): void {
    if (!this.#isWritable) throw new TypeError('the manifest was opened to be read');
    if (this.#isClosed) throw new TypeError('the manifest is closed');
  }

  /** A part may know nothing of what is not its own. */
  #checkInRange(blockIndex: number): void {
    this.#checkRange(blockIndex, 1);
    const { firstBlock, endBlock } = this.#context.range;
    if (blockIndex >= firstBlock && blockIndex < endBlock) return;
    throw new RangeError(`block ${blockIndex} is not one of ${firstBlock} to ${endBlock - 1}`);
  }

  #checkRange(firstBlock: number, blockCount: number): void {
    const end = firstBlock + blockCount;
    const areWhole = Number.isInteger(firstBlock) && Number.isInteger(blockCount);
    if (areWhole && firstBlock >= 0 && blockCount >= 0 && end <= this.blockCount) return;
    throw new RangeError(`blocks ${firstBlock} to ${end - 1} are not all of ${this.blockCount}`);
  }
}

function checkDigest(digest: Uint8Array): void {
  if (digest.byteLength !== DIGEST_SIZE) throw new RangeError('a digest has 32 bytes');
}

/**
 * Without a parent nothing was ever written there; with one, its own base has to know. A listing of the service, from
 * which a manifest is built, has the blocks of all ancestors.
 */
function absentIsZeroIn({ parameters, base }: ManifestFacts): boolean {
  return parameters.ParentSnapshotId === undefined || base?.absentIsZero === true;
}
