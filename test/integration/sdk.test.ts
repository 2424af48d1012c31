import {
  CompleteSnapshotCommand,
  EBSClient,
  GetSnapshotBlockCommand,
  paginateListChangedBlocks,
  paginateListSnapshotBlocks,
  PutSnapshotBlockCommand,
  ResourceNotFoundException,
  StartSnapshotCommand,
  ValidationException,
} from '@aws-sdk/client-ebs';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { startLocalService } from '../support/local-service.ts';

const BLOCK_SIZE = 524_288;

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

async function upload(
  client: EBSClient,
  blocks: ReadonlyMap<number, Buffer>,
  parentSnapshotId?: string,
): Promise<string> {
  const { SnapshotId = '' } = await client.send(
    new StartSnapshotCommand({ VolumeSize: 1, ParentSnapshotId: parentSnapshotId }),
  );
  for (const [BlockIndex, data] of blocks) {
    await client.send(
      new PutSnapshotBlockCommand({
        SnapshotId,
        BlockIndex,
        // Bytes are signed with their hash; a stream goes out unsigned and in chunks.
        BlockData: BlockIndex % 2 === 0 ? data : Readable.from([data]),
        DataLength: BLOCK_SIZE,
        Checksum: sha256(data).toString('base64'),
        ChecksumAlgorithm: 'SHA256',
      }),
    );
  }
  const digests = [...blocks].sort(([a], [b]) => a - b).map(([, data]) => sha256(data));
  await client.send(
    new CompleteSnapshotCommand({
      SnapshotId,
      ChangedBlocksCount: blocks.size,
      Checksum: sha256(Buffer.concat(digests)).toString('base64'),
      ChecksumAlgorithm: 'SHA256',
      ChecksumAggregationMethod: 'LINEAR',
    }),
  );
  return SnapshotId;
}

test('the unmodified SDK writes a chain, pages through it, and reads it back', async () => {
  const { client } = await startLocalService();
  const first = new Map(
    Array.from({ length: 150 }, (_, i) => [i * 13, Buffer.alloc(BLOCK_SIZE, i)]),
  );
  const second = new Map([[13, Buffer.alloc(BLOCK_SIZE, 0xaa)]]);
  const parent = await upload(client, first);
  const child = await upload(client, second, parent);

  const listed: number[] = [];
  const pages = paginateListSnapshotBlocks({ client, pageSize: 100 }, { SnapshotId: child });
  for await (const { Blocks = [], ExpiryTime } of pages) {
    expect(ExpiryTime).toBeInstanceOf(Date);
    for (const { BlockIndex = -1, BlockToken } of Blocks) {
      listed.push(BlockIndex);
      const answer = await client.send(
        new GetSnapshotBlockCommand({ SnapshotId: child, BlockIndex, BlockToken }),
      );
      const data = await answer.BlockData?.transformToByteArray();
      const expected = second.get(BlockIndex) ?? first.get(BlockIndex);
      expect(expected?.equals(data ?? Buffer.alloc(0)), `block ${BlockIndex}`).toBe(true);
      expect(answer.Checksum).toBe(sha256(data ?? Buffer.alloc(0)).toString('base64'));
    }
  }
  expect(listed).toEqual([...first.keys()]);

  const changed: (number | undefined)[] = [];
  const input = { FirstSnapshotId: parent, SecondSnapshotId: child };
  for await (const page of paginateListChangedBlocks({ client, pageSize: 100 }, input)) {
    changed.push(...(page.ChangedBlocks ?? []).map(({ BlockIndex }) => BlockIndex));
  }
  expect(changed).toEqual([13]);
});

test('errors arrive as the SDK’s own classes, with Reason and request id', async () => {
  const { client } = await startLocalService();
  const SnapshotId = 'snap-0fedcba9876543210';
  const unknown = new GetSnapshotBlockCommand({ SnapshotId, BlockIndex: 0, BlockToken: 'x' });
  const missing: unknown = await client.send(unknown).catch((error: unknown) => error);
  expect(missing).toBeInstanceOf(ResourceNotFoundException);
  expect(missing).toMatchObject({
    Reason: 'SNAPSHOT_NOT_FOUND',
    message: `The snapshot '${SnapshotId}' does not exist.`,
    $metadata: {
      httpStatusCode: 404,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    },
  });
  const invalid: unknown = await client
    .send(new StartSnapshotCommand({ VolumeSize: 0 }))
    .catch((error: unknown) => error);
  expect(invalid).toBeInstanceOf(ValidationException);
});
