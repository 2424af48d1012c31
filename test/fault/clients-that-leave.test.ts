import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import {
  CompleteSnapshotCommand,
  GetSnapshotBlockCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
  type EBSClient,
} from '@aws-sdk/client-ebs';
import { startLocalService } from '../support/local-service.ts';
import { RawConnection } from '../support/raw-connection.ts';
import { signedHead } from '../support/sign-request.ts';

const BLOCK_SIZE = 524_288;
/** One buffer: a request that does not give it back stops all that come after. */
const ONE_BUFFER = { maxBufferBytes: BLOCK_SIZE };

async function newSnapshot(client: EBSClient): Promise<string> {
  const { SnapshotId = '' } = await client.send(new StartSnapshotCommand({ VolumeSize: 1 }));
  return SnapshotId;
}

async function put(client: EBSClient, SnapshotId: string): Promise<void> {
  const BlockData = Buffer.alloc(BLOCK_SIZE, 7);
  const Checksum = createHash('sha256').update(BlockData).digest('base64');
  await client.send(
    new PutSnapshotBlockCommand({
      SnapshotId,
      BlockIndex: 0,
      BlockData,
      DataLength: BLOCK_SIZE,
      Checksum,
      ChecksumAlgorithm: 'SHA256',
    }),
  );
}

test('a client that leaves while it waits for a buffer does not keep the buffer', async () => {
  const { ebs, client } = await startLocalService(ONE_BUFFER);
  const SnapshotId = await newSnapshot(client);
  const head = signedHead(ebs.endpoint, {
    method: 'PUT',
    url: `/snapshots/${SnapshotId}/blocks/0`,
    headers: { 'content-length': BLOCK_SIZE },
  });
  const holder = (await RawConnection.open(ebs.endpoint)).send(head);
  await vi.waitFor(() => expect(ebs.counters().inFlight).toBe(1));
  const waiting = (await RawConnection.open(ebs.endpoint)).send(head);
  await vi.waitFor(() => expect(ebs.counters().inFlight).toBe(2));
  waiting.leave(true);
  // Something that comes after it has been answered, so the server knows that it has left.
  await newSnapshot(client);
  holder.leave(true);
  await put(client, SnapshotId);
  expect(ebs.counters().inFlight).toBe(0);
});

test.each([
  ['its turn', {}],
  ['its turn on a path with a round-trip time', { path: { rttMs: 1 } }],
])(
  'a client that leaves before a pipelined answer was %s gives its buffer back',
  async (_, hostility) => {
    const { ebs, client } = await startLocalService({ ...ONE_BUFFER, hostility });
    const SnapshotId = await newSnapshot(client);
    await put(client, SnapshotId);
    await client.send(new CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 1 }));
    await ebs.settle();
    const list = new ListSnapshotBlocksCommand({ SnapshotId });
    const { BlockToken = '' } = (await client.send(list)).Blocks?.[0] ?? {};
    ebs.inject({ operation: 'ListSnapshotBlocks', fault: 'stall' });
    const first = signedHead(ebs.endpoint, {
      method: 'GET',
      url: `/snapshots/${SnapshotId}/blocks`,
    });
    const second = signedHead(ebs.endpoint, {
      method: 'GET',
      url: `/snapshots/${SnapshotId}/blocks/0?blockToken=${BlockToken}`,
    });
    const pipeline = (await RawConnection.open(ebs.endpoint)).send(first + second);
    const reads = (): number => ebs.counters().byOperation.GetSnapshotBlock ?? 0;
    await vi.waitFor(() => expect(reads()).toBe(1));
    pipeline.leave(true);
    const get = new GetSnapshotBlockCommand({ SnapshotId, BlockIndex: 0, BlockToken });
    const answer = await client.send(get);
    expect((await answer.BlockData?.transformToByteArray())?.length).toBe(BLOCK_SIZE);
  },
);
