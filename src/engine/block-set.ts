/** A set of blocks of a volume: one bit each, 16 MiB for the largest volume. */
export class BlockSet {
  /** The lowest bit of the first byte is block 0. */
  readonly bits: Uint8Array;
  readonly blockCount: number;

  /** @param blockCount - blocks that may be in the set: 0 to `blockCount` - 1. */
  constructor(blockCount: number) {
    this.blockCount = blockCount;
    this.bits = new Uint8Array(Math.ceil(blockCount / 8));
  }

  /** How many blocks are in the set. O(n). */
  get size(): number {
    let size = 0;
    let index = this.firstFrom(0, this.blockCount);
    for (; index < this.blockCount; index = this.firstFrom(index + 1, this.blockCount)) size += 1;
    return size;
  }

  has(blockIndex: number): boolean {
    return ((this.bits[blockIndex >>> 3] ?? 0) & (1 << (blockIndex & 7))) !== 0;
  }

  add(blockIndex: number): void {
    const at = blockIndex >>> 3;
    this.bits[at] = (this.bits[at] ?? 0) | (1 << (blockIndex & 7));
  }

  /** The first block of the set from `firstBlock` on, below `endBlock`; otherwise `endBlock`. */
  firstFrom(firstBlock: number, endBlock: number): number {
    for (let index = firstBlock; index < endBlock;) {
      if (this.bits[index >>> 3] === 0) index = ((index >>> 3) + 1) * 8;
      else if (this.has(index)) return index;
      else index += 1;
    }
    return endBlock;
  }

  /** The blocks of the set, in ascending order. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    let index = this.firstFrom(0, this.blockCount);
    for (; index < this.blockCount; index = this.firstFrom(index + 1, this.blockCount)) yield index;
  }
}
