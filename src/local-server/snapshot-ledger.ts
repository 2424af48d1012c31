import { BlockLedger, type PageBudget } from './block-ledger.ts';
import { RateSeries, type Ending, type SecondRates } from './rate-series.ts';

/** What clients did with one snapshot, as far as requests tell. */
export interface SnapshotSummary {
  readonly snapshotId: string;
  /** Ended and running requests, by operation. */
  readonly requests: Readonly<Record<string, number>>;
  /** Distinct blocks of which a Put was acknowledged. */
  readonly blocksPut: number;
  /** Distinct blocks that more than one Put was sent for. */
  readonly blocksPutAgain: number;
  /** Puts beyond the first of their block; each of them was needed, or is among `needlessPuts`. */
  readonly repeatedPuts: number;
  /** Puts that came after the same bytes had been acknowledged. */
  readonly needlessPuts: number;
  /** Blocks of the first of them. */
  readonly needlessBlocks: readonly number[];
  /** Puts that came after CompleteSnapshot had been accepted. */
  readonly putsAfterComplete: number;
  readonly throttles: number;
  /** The most requests for this snapshot that were in flight at one time. */
  readonly inFlightMax: number;
  /** What the accepted CompleteSnapshot said; null before. */
  readonly declared: DeclaredFigures | null;
  /** Block requests that found no room in memory: of those `attempt` and the sums of blocks are not known. */
  readonly untracked: number;
  readonly rates: readonly SecondRates[];
}

/** Count and checksum of a CompleteSnapshot, as they stood in its headers. */
export interface DeclaredFigures {
  readonly changedBlocksCount: number;
  readonly checksum: string | null;
}

/** A request as far as its head tells. */
export interface Arrival {
  /** Undefined when no EBS operation is meant. */
  readonly operation?: string | undefined;
  readonly snapshotId?: string | undefined;
  readonly blockIndex?: number | undefined;
  /** x-amz-Checksum. */
  readonly checksum?: string | undefined;
  /** x-amz-ChangedBlocksCount. */
  readonly changedBlocksCount?: string | undefined;
  /** The connection that it came on. */
  readonly connection?: object | undefined;
}

const NEEDLESS_BLOCKS_MAX = 100;
/** Seconds of a snapshot's rates to remember. */
const SECONDS_MAX = 900;

/** Counts what is done with one snapshot. */
export class SnapshotLedger {
  /** 1 for the first snapshot that was asked for. */
  readonly ordinal: number;
  readonly #rates = new RateSeries(SECONDS_MAX);
  #inFlight = 0;
  readonly #blocks: BlockLedger;
  readonly #snapshotId: string;
  readonly #requests = new Map<string, number>();
  readonly #needlessBlocks: number[] = [];
  readonly #sums = {
    blocksPut: 0,
    blocksPutAgain: 0,
    repeatedPuts: 0,
    needlessPuts: 0,
    putsAfterComplete: 0,
    throttles: 0,
    inFlightMax: 0,
    untracked: 0,
  };
  #declared: DeclaredFigures | null = null;

  constructor(snapshotId: string, ordinal: number, budget: PageBudget) {
    this.#snapshotId = snapshotId;
    this.ordinal = ordinal;
    this.#blocks = new BlockLedger(budget);
  }

  /** Notes an arrival. Returns which attempt at its block, or at its operation, it is. */
  open(arrival: Arrival, nowMs: number): number | undefined {
    const { operation = 'Unknown', blockIndex } = arrival;
    const count = (this.#requests.get(operation) ?? 0) + 1;
    this.#requests.set(operation, count);
    this.#inFlight += 1;
    this.#sums.inFlightMax = Math.max(this.#sums.inFlightMax, this.#inFlight);
    this.#rates.arrive(nowMs, this.#inFlight);
    if (blockIndex === undefined || blockIndex < 0) return count;
    const isPut = operation === 'PutSnapshotBlock';
    const attempt = this.#blocks.attempt(isPut ? 'puts' : 'gets', blockIndex);
    if (attempt === undefined) this.#sums.untracked += 1;
    if (isPut) this.#openPut(arrival, blockIndex, attempt);
    return attempt;
  }

  /** Notes how a request ended; one whose answer is lost was not acknowledged, as far as its client can know. */
  close(arrival: Arrival, end: Ending & { readonly isLost: boolean }, nowMs: number): void {
    const { operation, blockIndex, checksum, changedBlocksCount } = arrival;
    this.#inFlight -= 1;
    this.#rates.end(nowMs, end);
    if (end.isThrottle) this.#sums.throttles += 1;
    if (!end.isSuccess || end.isLost) return;
    if (operation === 'PutSnapshotBlock' && blockIndex !== undefined) {
      const isFirst = this.#blocks.acknowledge(blockIndex, startOf(checksum));
      if (isFirst) this.#sums.blocksPut += 1;
    }
    if (operation === 'CompleteSnapshot') {
      this.#declared ??= {
        changedBlocksCount: Number(changedBlocksCount),
        checksum: checksum ?? null,
      };
    }
  }

  /** Returns the sums as they are now. */
  summary(): SnapshotSummary {
    return {
      snapshotId: this.#snapshotId,
      requests: Object.fromEntries(this.#requests),
      ...this.#sums,
      needlessBlocks: [...this.#needlessBlocks],
      declared: this.#declared,
      rates: this.#rates.seconds(),
    };
  }

  /** Frees what was remembered of the blocks. */
  forget(): void {
    this.#blocks.close();
  }

  #openPut({ checksum }: Arrival, blockIndex: number, attempt: number | undefined): void {
    if (this.#declared !== null) this.#sums.putsAfterComplete += 1;
    if (attempt === undefined || attempt === 1) return;
    if (attempt === 2) this.#sums.blocksPutAgain += 1;
    this.#sums.repeatedPuts += 1;
    if (!this.#blocks.holds(blockIndex, startOf(checksum))) return;
    this.#sums.needlessPuts += 1;
    if (this.#needlessBlocks.length < NEEDLESS_BLOCKS_MAX) this.#needlessBlocks.push(blockIndex);
  }
}

/** The first four bytes of a checksum tell digests apart well enough. */
function startOf(checksum: string | undefined): number {
  const bytes = Buffer.from(checksum?.slice(0, 8) ?? '', 'base64');
  return bytes.length < 4 ? 0 : bytes.readUInt32BE();
}
