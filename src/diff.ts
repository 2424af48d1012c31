import { setMaxListeners } from 'node:events';
import { ZERO_BLOCK_DIGEST } from './base/digest.ts';
import { abortError } from './base/errors.ts';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import type { ChangedRange, DiffOptions, DiffSummary } from './options.ts';
import { validateDiffOptions } from './options-validation.ts';
import { BlockFetcher } from './pipeline/block-fetcher.ts';
import { listBoth, listChanges, type SnapshotPair } from './pipeline/changed-blocks.ts';
import { mapAhead } from './pipeline/map-ahead.ts';
import { mergeRuns, type Judged, type Run } from './pipeline/merge-runs.ts';
import { isRefusedFor } from './pipeline/page-stream.ts';
import { ScanJob } from './scan-job.ts';
import type { ChangedBlock } from './transport/transport.ts';

/** What is said of a block that differs. */
type Change = ChangedRange['change'];

/** Behind the end of every volume: a listing from here has no blocks, but the size of the volume. */
const BEHIND_ALL_BLOCKS = 134_217_728;

/** What is to be known of a pair before its blocks are compared. */
interface Sizes {
  readonly firstVolumeSizeGiB: number;
  readonly secondVolumeSizeGiB: number;
}

/**
 * The ranges in which a second snapshot differs from a first, in ascending order. Of one lineage they are what was
 * written since the two parted, as ListChangedBlocks tells: no block is read, and rewrites of equal data count. With
 * `byDigest`, or when the two are not related, blocks are read from both, and ranges are those whose bytes differ.
 * Nothing is asked for before the iteration begins, which is once.
 *
 *     const diff = diffSnapshots({ firstSnapshotId, secondSnapshotId });
 *     for await (const { start, length, change } of diff) console.log(change, start, length);
 *     console.log(diff.summary.changedBytes);
 *
 * @throws TypeError or RangeError at once for a bad option; from the iteration {@link ServiceError}, TransportError or
 * IntegrityError, AbortError when the signal aborts.
 */
export function diffSnapshots(options: DiffOptions): SnapshotDiff {
  validateDiffOptions(options);
  return new SnapshotDiff(options);
}

/** What {@link diffSnapshots} returns. */
export class SnapshotDiff implements AsyncIterable<ChangedRange> {
  readonly #options: DiffOptions;
  readonly #stop = new AbortController();
  #summary: DiffSummary;
  #isBegun = false;

  constructor(options: DiffOptions) {
    const { firstSnapshotId, secondSnapshotId, byDigest = false } = options;
    this.#options = options;
    this.#summary = {
      firstSnapshotId,
      secondSnapshotId,
      firstVolumeSizeGiB: 0,
      secondVolumeSizeGiB: 0,
      isRelated: true,
      byDigest,
      isEqual: true,
      changedBlocks: 0,
      changedBytes: 0,
      blocksRead: 0,
      retries: 0,
      elapsedMs: 0,
    };
    setMaxListeners(0, this.#stop.signal);
  }

  /** What the ranges told so far come to: all of them once the iteration has ended. */
  get summary(): DiffSummary {
    return this.#summary;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChangedRange, void, undefined> {
    if (this.#isBegun) throw new TypeError('the ranges can be gone through once');
    this.#isBegun = true;
    const { signal, on } = this.#options;
    if (signal?.aborted === true) throw abortError(signal);
    const onAbort = (): void => this.#stop.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    // A pair of blocks is read at a time.
    const job = new ScanJob(this.#options, 2);
    try {
      on?.start?.(job);
      for await (const run of mergeRuns(this.#compare(job))) {
        let isTaken = false;
        try {
          yield this.#tell(run, job);
          isTaken = true;
        } finally {
          // Nobody reads on: what is under way ends now, not with its answer.
          if (!isTaken) this.#stop.abort();
        }
      }
      job.finished();
      this.#note(job);
    } finally {
      this.#stop.abort();
      signal?.removeEventListener('abort', onAbort);
      await job.close();
    }
  }

  async *#compare(job: ScanJob): AsyncGenerator<Judged<Change>, void, undefined> {
    const { firstSnapshotId, secondSnapshotId } = this.#options;
    const { transport } = job.connection;
    const { signal } = this.#stop;
    const sizes = await this.#askSizes(job);
    const blockCount = volumeBlockCount(
      Math.max(sizes.firstVolumeSizeGiB, sizes.secondVolumeSizeGiB),
    );
    job.bytesTotal = blockOffset(blockCount);
    this.#summary = {
      ...this.#summary,
      ...sizes,
      isEqual: sizes.firstVolumeSizeGiB === sizes.secondVolumeSizeGiB,
    };
    const pair = { transport, firstSnapshotId, secondSnapshotId, blockCount, signal };
    const candidates = await this.#candidates(pair);
    if (this.#summary.byDigest) yield* this.#readAndCompare(candidates, { pair, job });
    else {
      for await (const block of candidates) {
        passed(block, job);
        yield { blockIndex: block.blockIndex, verdict: changeOf(block) };
      }
    }
  }

  /** Of each snapshot by itself, so that the one that cannot be read is named. */
  async #askSizes({ connection: { transport } }: ScanJob): Promise<Sizes> {
    const { firstSnapshotId, secondSnapshotId } = this.#options;
    const [first, second] = await Promise.all(
      [firstSnapshotId, secondSnapshotId].map((snapshotId) => {
        const request = { snapshotId, startingBlockIndex: BEHIND_ALL_BLOCKS };
        return transport.listSnapshotBlocks(request, { signal: this.#stop.signal });
      }),
    );
    return {
      firstVolumeSizeGiB: first?.volumeSizeGiB ?? 0,
      secondVolumeSizeGiB: second?.volumeSizeGiB ?? 0,
    };
  }

  /** The blocks that may differ. Without a lineage that is every block, and only their contents can tell. */
  async #candidates(pair: SnapshotPair): Promise<AsyncIterable<ChangedBlock>> {
    const { transport, firstSnapshotId, secondSnapshotId, signal } = pair;
    const ids = { firstSnapshotId, secondSnapshotId };
    try {
      return listChanges(pair, await transport.listChangedBlocks(ids, { signal }));
    } catch (error) {
      if (!isRefusedFor(error, 'UNRELATED_SNAPSHOTS')) throw error;
      this.#summary = { ...this.#summary, isRelated: false, byDigest: true };
    }
    const [first, second] = await Promise.all([
      transport.listSnapshotBlocks({ snapshotId: firstSnapshotId }, { signal }),
      transport.listSnapshotBlocks({ snapshotId: secondSnapshotId }, { signal }),
    ]);
    return listBoth(pair, { first, second });
  }

  async *#readAndCompare(
    candidates: AsyncIterable<ChangedBlock>,
    { pair, job }: { readonly pair: SnapshotPair; readonly job: ScanJob },
  ): AsyncGenerator<Judged<Change>, void, undefined> {
    const reader = (snapshotId: string): DigestReader => {
      const fetcher = new BlockFetcher({ ...pair, snapshotId });
      return async (blockIndex, blockToken) => {
        if (blockToken === undefined) return ZERO_BLOCK_DIGEST;
        const { digest } = await fetcher.fetch({ blockIndex, blockToken });
        job.counts.blocksRead += 1;
        return digest;
      };
    };
    const [readFirst, readSecond] = [pair.firstSnapshotId, pair.secondSnapshotId].map(reader) as [
      DigestReader,
      DigestReader,
    ];
    const judged = mapAhead(candidates, {
      work: async (block) => {
        const { blockIndex, firstToken, secondToken } = block;
        const [first, second] = await Promise.all([
          readFirst(blockIndex, firstToken),
          readSecond(blockIndex, secondToken),
        ]);
        return { block, verdict: changeOf(block, { first, second }) };
      },
      aheadMax: () => job.blocksMax,
      stop: () => this.#stop.abort(),
    });
    for await (const { block, verdict } of judged) {
      passed(block, job);
      if (verdict !== undefined) yield { blockIndex: block.blockIndex, verdict };
    }
  }

  #tell({ firstBlock, blockCount, verdict }: Run<Change>, job: ScanJob): ChangedRange {
    const changedBlocks = this.#summary.changedBlocks + blockCount;
    const changedBytes = blockOffset(changedBlocks);
    this.#summary = { ...this.#summary, isEqual: false, changedBlocks, changedBytes };
    this.#note(job);
    const isZero = verdict === 'zeroed' || verdict === 'removed';
    return {
      start: blockOffset(firstBlock),
      length: blockOffset(blockCount),
      present: verdict !== 'removed',
      data: !isZero,
      zero: isZero,
      change: verdict,
    };
  }

  #note({ counts: { blocksRead }, connection: { retries }, elapsedMs }: ScanJob): void {
    this.#summary = { ...this.#summary, blocksRead, retries, elapsedMs };
  }
}

/** Tells the digest of a block of one side, where an absent one reads as zeros. */
type DigestReader = (blockIndex: number, blockToken: string | undefined) => Promise<Uint8Array>;

/** What happened to a block from the first snapshot to the second; undefined when its bytes are the same. */
function changeOf(block: ChangedBlock): Change;
function changeOf(
  block: ChangedBlock,
  digests: { readonly first: Uint8Array; readonly second: Uint8Array },
): Change | undefined;
function changeOf(
  { firstToken, secondToken }: ChangedBlock,
  digests?: { readonly first: Uint8Array; readonly second: Uint8Array },
): Change | undefined {
  if (digests !== undefined && Buffer.compare(digests.first, digests.second) === 0)
    return undefined;
  if (secondToken === undefined) return 'removed';
  if (firstToken === undefined) return 'added';
  const isZeroed = digests !== undefined && Buffer.compare(digests.second, ZERO_BLOCK_DIGEST) === 0;
  return isZeroed ? 'zeroed' : 'changed';
}

function passed({ blockIndex }: ChangedBlock, job: ScanJob): void {
  job.counts.blocksDone = blockIndex + 1;
  job.changed();
}
