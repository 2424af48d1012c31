import {
  CompleteSnapshotCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
  type EBSClient,
} from '@aws-sdk/client-ebs';
import { createReadStream } from 'node:fs';
import { BLOCK_SIZE, BLOCKS_PER_GIB, GIB } from '../../src/base/constants.ts';
import { sha256, toBase64 } from '../../src/base/digest.ts';
import { filledBlock } from './memory-snapshot.ts';

/** Blocks that a snapshot of 1 GiB holds: the byte that each is filled with, by index. 0 is a zero block. */
export type Contents = ReadonlyMap<number, number>;

/** A completed snapshot of 1 GiB made with the SDK alone. */
export async function storeSnapshot(
  client: EBSClient,
  contents: Contents,
  parentSnapshotId?: string,
): Promise<string> {
  const { SnapshotId } = await client.send(
    new StartSnapshotCommand({ VolumeSize: 1, ParentSnapshotId: parentSnapshotId }),
  );
  const blocks = [...contents].sort(([a], [b]) => a - b);
  const digests = await Promise.all(
    blocks.map(async ([BlockIndex, byte]) => {
      const BlockData = filledBlock(byte);
      const digest = sha256(BlockData);
      const DataLength = BLOCK_SIZE;
      const Checksum = toBase64(digest);
      const put = { SnapshotId, BlockIndex, BlockData, DataLength, Checksum };
      await client.send(new PutSnapshotBlockCommand({ ...put, ChecksumAlgorithm: 'SHA256' }));
      return digest;
    }),
  );
  await client.send(
    new CompleteSnapshotCommand({
      SnapshotId,
      ChangedBlocksCount: contents.size,
      Checksum: toBase64(sha256(Buffer.concat(digests))),
      ChecksumAlgorithm: 'SHA256',
      ChecksumAggregationMethod: 'LINEAR',
    }),
  );
  if (SnapshotId === undefined) throw new Error('StartSnapshot answered without an id');
  return SnapshotId;
}

/** About `share` of the volume's blocks, half of them zero, the rest each with a byte of its own. */
export function randomContents(random: () => number, share: number): Contents {
  const contents = new Map<number, number>();
  for (let index = 0; index < BLOCKS_PER_GIB; index += 1) {
    if (random() < share) contents.set(index, random() < 0.5 ? 0 : 1 + (index % 255));
  }
  return contents;
}

/** The first block in which the first GiB of a file or device differs from the volume that `contents` make. */
export async function firstDifference(
  path: string,
  contents: Contents,
): Promise<number | undefined> {
  const check = new VolumeCheck(contents);
  const bytes = createReadStream(path, { end: GIB - 1, highWaterMark: BLOCK_SIZE });
  for await (const block of bytes) check.next(block as Buffer);
  return check.firstDifference;
}

/** Compares a volume with its `contents` as it comes, block by block from first to last. */
export class VolumeCheck {
  /** The first block that differs, is not whole or is missing; undefined when the volume is right and complete. */
  get firstDifference(): number | undefined {
    return this.#different ?? (this.#count === BLOCKS_PER_GIB ? undefined : this.#count);
  }

  readonly #contents: Contents;
  readonly #expected = Buffer.alloc(BLOCK_SIZE);
  #filledWith = 0;
  #count = 0;
  #different: number | undefined;

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  next(block: Buffer): void {
    const byte = this.#contents.get(this.#count) ?? 0;
    if (byte !== this.#filledWith) this.#expected.fill(byte);
    this.#filledWith = byte;
    if (!block.equals(this.#expected)) this.#different ??= this.#count;
    this.#count += 1;
  }
}
