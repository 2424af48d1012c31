/** What is known of a target's blocks: which of them can stay, and which are written. */
export interface RestoreRecords {
  /** Whether the target holds the block already, as it was looked at now. Blocks are asked for in ascending order. */
  isThere(blockIndex: number): Promise<boolean>;
  /** Says that a block has been written to the target, or cleared there, and what its digest is. */
  written(blockIndex: number, digest: Uint8Array): void;
}
