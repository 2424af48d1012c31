import { GetSnapshotBlockCommand, ListSnapshotBlocksCommand } from '@aws-sdk/client-ebs';
import { expect } from 'vitest';
import { BLOCK_SIZE } from '../../src/index.ts';
import type { LocalService } from './local-service.ts';

/** Reads the first blocks of a snapshot back with the plain SDK; absent blocks are zeros. */
export async function readBack(
  { client }: Pick<LocalService, 'client'>,
  snapshotId = '',
  blocks = 16,
): Promise<Buffer> {
  const volume = Buffer.alloc(blocks * BLOCK_SIZE);
  const list = await client.send(
    new ListSnapshotBlocksCommand({ SnapshotId: snapshotId, MaxResults: 10_000 }),
  );
  for (const { BlockIndex = 0, BlockToken } of list.Blocks ?? []) {
    if (BlockIndex >= blocks) break;
    const command = { SnapshotId: snapshotId, BlockIndex, BlockToken };
    const { BlockData } = await client.send(new GetSnapshotBlockCommand(command));
    const data = await BlockData?.transformToByteArray();
    if (data !== undefined) volume.set(data, BlockIndex * BLOCK_SIZE);
  }
  return volume;
}

/** Expects a snapshot to read as `disk`, and as zeros behind it, up to `blocks` blocks of the volume. */
export async function expectVolume(
  service: Pick<LocalService, 'client'>,
  snapshotId: string,
  { disk, blocks }: { readonly disk: Uint8Array; readonly blocks: number },
): Promise<void> {
  const volume = await readBack(service, snapshotId, blocks);
  const expected = Buffer.alloc(blocks * BLOCK_SIZE);
  expected.set(disk);
  const differs: number[] = [];
  for (let at = 0; at < blocks; at += 1) {
    const [start, end] = [at * BLOCK_SIZE, (at + 1) * BLOCK_SIZE];
    if (!volume.subarray(start, end).equals(expected.subarray(start, end))) differs.push(at);
  }
  expect(differs).toEqual([]);
}
