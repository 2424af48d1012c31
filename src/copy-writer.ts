import { once } from 'node:events';
import { blockOffset, volumeBlockCount } from './base/units.ts';
import type { SnapshotResult, SnapshotWriterOptions } from './options.ts';
import type { BlockInput } from './pipeline/block-intake.ts';
import { SnapshotWriter } from './snapshot-writer.ts';
import type { UploadSource } from './upload-manifest.ts';

/** A writer of a copy: its source is a snapshot, which never changes, and may hold nothing at all. */
export class CopyWriter extends SnapshotWriter {
  readonly #sourceId: string;
  readonly #sourceSizeGiB: number;
  #keepsAbsent = false;
  #isSealed = false;

  constructor(
    options: SnapshotWriterOptions,
    source: { readonly snapshotId: string; readonly volumeSizeGiB: number },
  ) {
    super(options);
    this.#sourceId = source.snapshotId;
    this.#sourceSizeGiB = source.volumeSizeGiB;
    // Told by `done`; here it only must not end the process.
    this.on('error', () => undefined);
  }

  /** Whether the copy needs no block for one that is absent from its source: both then read as zeros. */
  get keepsAbsent(): boolean {
    return this.#keepsAbsent;
  }

  /** Starts the snapshot. A copy that cannot be started is over. */
  async start({ ParentSnapshotId }: Partial<SnapshotWriterOptions['params']>): Promise<void> {
    try {
      const { KmsKeyArn } = await this.startNow();
      this.#isSealed = await this.isSealed();
      this.#keepsAbsent = !KmsKeyArn && ParentSnapshotId === undefined;
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** Whether the copy has no need of a block of its source. */
  async has(blockIndex: number): Promise<boolean> {
    return this.destroyed || this.#isSealed || this.isRecorded(blockIndex);
  }

  /** Hands a block over, and resolves when there is room for the next, or the writer is over. */
  async take(block: BlockInput): Promise<void> {
    if (this.destroyed || this.#isSealed) {
      block.release?.();
      return;
    }
    if (this.write(block) || this.closed) return;
    const settled = new AbortController();
    const { signal } = settled;
    await Promise.race([once(this, 'drain', { signal }), once(this, 'close', { signal })]).catch(
      () => undefined,
    );
    settled.abort();
  }

  /** Ends the copy, when no block is left. */
  async finish(): Promise<SnapshotResult> {
    if (!this.destroyed) this.end();
    return this.done();
  }

  protected override get mayBeEmpty(): boolean {
    return true;
  }

  protected override identifySource(): Promise<UploadSource> {
    const endBlock = volumeBlockCount(this.#sourceSizeGiB);
    const sizeBytes = blockOffset(endBlock);
    const identity = { kind: 'snapshot', path: this.#sourceId, sizeBytes } as const;
    return Promise.resolve({ identity, endBlock });
  }
}
