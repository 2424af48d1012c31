import type { Manifest } from './manifest/manifest.ts';
import type { Target } from './target/target.ts';

/** Milliseconds that written blocks gather for before they are made durable: what a killed run does again, at most. */
const GATHER_MS = 500;

/** Blocks, 32 MiB, that are made durable without waiting for more. */
const GATHER_BLOCKS = 64;

/** A block that was written and is not recorded yet. */
interface WrittenBlock {
  readonly blockIndex: number;
  readonly digest: Uint8Array;
}

/**
 * Records what was written in the order of truth: written, then made durable, then recorded. So a record never tells of a
 * block that the target would lose with the machine's power.
 */
export class SyncedRecords {
  readonly #target: Pick<Target, 'sync'>;
  readonly #manifest: Pick<Manifest, 'record' | 'flush'>;
  readonly #onFailure: (error: Error) => void;
  #written: WrittenBlock[] = [];
  #syncing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isFailed = false;

  /** @param onFailure - told once, when the target cannot be synced. */
  constructor(
    target: Pick<Target, 'sync'>,
    manifest: Pick<Manifest, 'record' | 'flush'>,
    onFailure: (error: Error) => void,
  ) {
    this.#target = target;
    this.#manifest = manifest;
    this.#onFailure = onFailure;
  }

  /** Says that a block has been written. */
  add(blockIndex: number, digest: Uint8Array): void {
    // A copy: where it came from is used anew.
    this.#written.push({ blockIndex, digest: Uint8Array.from(digest) });
    if (this.#isFailed || this.#syncing !== undefined) return;
    if (this.#written.length >= GATHER_BLOCKS) this.#begin();
    else this.#timer ??= setTimeout(() => this.#begin(), GATHER_MS);
  }

  /** Resolves when all that was added is recorded, and would outlive this process; after a failure nothing more is. */
  async flush(): Promise<void> {
    while (!this.#isFailed && (this.#written.length > 0 || this.#syncing !== undefined)) {
      if (this.#syncing === undefined) this.#begin();
      await this.#syncing;
    }
    await this.#manifest.flush();
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#syncing = this.#sync().finally(() => {
      this.#syncing = undefined;
      if (this.#written.length > 0 && !this.#isFailed) {
        this.#timer ??= setTimeout(() => this.#begin(), GATHER_MS);
      }
    });
  }

  async #sync(): Promise<void> {
    const written = this.#written;
    this.#written = [];
    try {
      await this.#target.sync();
      for (const { blockIndex, digest } of written) this.#manifest.record(blockIndex, digest);
    } catch (error) {
      // After a failed sync nobody knows what the disk has: none of it is recorded, nor what comes after.
      this.#isFailed = true;
      this.#onFailure(error as Error);
    }
  }
}
