import type { PageBudget } from './block-ledger.ts';
import { SnapshotLedger } from './snapshot-ledger.ts';

/** Snapshots to remember. */
const SNAPSHOTS_MAX = 256;
/** Pages of blocks to remember: 4 Mi blocks, 2 TiB, in some 30 MiB. */
const PAGES_MAX = 8192;

/** The ledgers of the last snapshots that were asked for. */
export class SnapshotLedgers {
  readonly #budget: PageBudget;
  readonly #ledgers = new Map<string, SnapshotLedger>();
  #count = 0;

  /** @param pagesMax - pages of 512 blocks, for all snapshots together. */
  constructor(pagesMax: number = PAGES_MAX) {
    this.#budget = { pagesLeft: pagesMax };
  }

  /** The ledger of a snapshot, begun when there is none. */
  of(snapshotId: string): SnapshotLedger {
    const known = this.#ledgers.get(snapshotId);
    if (known !== undefined) return known;
    this.#count += 1;
    const ledger = new SnapshotLedger(snapshotId, this.#count, this.#budget);
    this.#ledgers.set(snapshotId, ledger);
    for (const [oldest, forgotten] of this.#ledgers) {
      if (this.#ledgers.size <= SNAPSHOTS_MAX) break;
      forgotten.forget();
      this.#ledgers.delete(oldest);
    }
    return ledger;
  }

  /** The ledger of a snapshot; undefined when nothing was asked of it, or it is forgotten. */
  find(snapshotId: string): SnapshotLedger | undefined {
    return this.#ledgers.get(snapshotId);
  }
}
