import { ListSnapshotBlocksCommand, type EBSClient } from '@aws-sdk/client-ebs';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { copySnapshot, diffSnapshots, verifySnapshot, type CopyTarget } from '../../src/index.ts';
import { clientOf } from '../../src/cli/client.ts';
import type { RequestEndMessage } from '../../src/transport/request-channels.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { randomContents, storeSnapshot, type Contents } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const REQUEST_END = 'ebs-snapshot-stream:request:end';

const FEW: Contents = new Map([
  [3, 1],
  [4, 0],
  [700, 2],
  [2047, 3],
]);

function clientIn({ ebs }: LocalService, region: string): EBSClient {
  const client = clientOf(ebs, region);
  onTestFinished(() => client.destroy());
  return client;
}

async function held(client: EBSClient, SnapshotId: string): Promise<(number | undefined)[]> {
  const { Blocks = [] } = await client.send(
    new ListSnapshotBlocksCommand({ SnapshotId, MaxResults: 10_000 }),
  );
  return Blocks.map(({ BlockIndex }) => BlockIndex);
}

async function expectEqual(client: EBSClient, ids: readonly [string, string]): Promise<void> {
  const [firstSnapshotId, secondSnapshotId] = ids;
  const diff = diffSnapshots({ client, firstSnapshotId, secondSnapshotId });
  for await (const range of diff) expect(range).toBeUndefined();
  expect(diff.summary.isEqual).toBe(true);
}

async function copyOne(
  client: EBSClient,
  snapshotId: string,
  target: CopyTarget = {},
): Promise<string> {
  const { targets } = await copySnapshot({ client, snapshotId, targets: [{ client, ...target }] });
  return targets[0]?.result?.snapshotId ?? 'none';
}

describe('copySnapshot', () => {
  it('copies to another region what is there, and leaves absent what is not', async () => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(service.client, FEW);
    const client = clientIn(service, 'eu-north-1');
    const { targets, ...result } = await copySnapshot({
      client: service.client,
      snapshotId,
      targets: [{ client, verify: true, params: { Description: 'a copy' } }],
    });
    const copyId = targets[0]?.result?.snapshotId ?? '';
    expect(result).toMatchObject({
      snapshotId,
      volumeSizeGiB: 1,
      blocksRead: 4,
      absentBlocks: 2044,
    });
    expect(await held(client, copyId)).toEqual([...FEW.keys()]);
    await expect(held(service.client, copyId)).rejects.toThrow('does not exist');
    expect((await service.ebs.snapshotReport(copyId))?.computed).toEqual(
      (await service.ebs.snapshotReport(snapshotId))?.computed,
    );
  });

  it('copies an empty snapshot', async () => {
    const { client } = await startLocalService();
    const snapshotId = await storeSnapshot(client, new Map());
    expect(await held(client, await copyOne(client, snapshotId))).toEqual([]);
  });

  it('writes zeros for what is absent where a copy is encrypted or has a parent', async () => {
    const { client } = await startLocalService();
    const snapshotId = await storeSnapshot(client, FEW);
    const encrypted = await copyOne(client, snapshotId, { params: { Encrypted: true } });
    expect(await held(client, encrypted)).toHaveLength(2048);
    await expectEqual(client, [snapshotId, encrypted]);
    const ParentSnapshotId = await storeSnapshot(client, new Map([[9, 9]]));
    const child = await copyOne(client, snapshotId, { params: { ParentSnapshotId } });
    await expectEqual(client, [snapshotId, child]);
  });

  it('sends of a newer snapshot what differs from the base that the target has', async () => {
    const service = await startLocalService();
    const { client } = service;
    const folder = await temporaryFolder();
    const [first, second] = [join(folder, '1.manifest'), join(folder, '2.manifest')];
    const parent = await storeSnapshot(client, FEW);
    const child = await storeSnapshot(
      client,
      new Map([
        [3, 7],
        [4, 0],
        [5, 5],
      ]),
      parent,
    );
    const parentCopy = await copyOne(client, parent, { manifest: first });
    const before = service.requests('PutSnapshotBlock');
    const childCopy = await copyOne(client, child, {
      manifest: second,
      base: first,
      params: { ParentSnapshotId: parentCopy },
    });
    expect(service.requests('PutSnapshotBlock') - before).toBe(2);
    await expectEqual(client, [child, childCopy]);
    const verified = await verifySnapshot({ client, snapshotId: childCopy, manifest: second });
    expect(verified.isEqual).toBe(true);
  });

  it.each([1, 2])('reads once for several targets, under faults (seed %i)', async (seed) => {
    const service = await startLocalService();
    const snapshotId = await storeSnapshot(
      service.client,
      randomContents(seededRandom(seed), 0.02),
    );
    service.ebs.setHostility({
      seed,
      quotas: { snapshot: { PutSnapshotBlock: { rate: 200, depth: 20 } } },
      faults: {
        corrupt: 0.05,
        'cut-answer': 0.02,
        reset: 0.02,
        'internal-error': 0.02,
        'expired-block-token': 0.01,
      },
    });
    const clients = ['eu-north-1', 'us-west-2'].map((region) => clientIn(service, region));
    const result = await copySnapshot({
      client: service.client,
      snapshotId,
      targets: clients.map((client) => ({ client })),
    });
    service.ebs.setHostility({});
    const expected = await service.ebs.snapshotReport(snapshotId);
    for (const { result: made } of result.targets) {
      const report = await service.ebs.snapshotReport(made?.snapshotId ?? '');
      expect(report?.status).toBe('completed');
      expect(report?.computed).toEqual(expected?.computed);
    }
    expect(result.blocksRead).toBe(expected?.computed.changedBlocksCount);
  });

  it('goes on with the other targets when one fails, and fails when none is left', async () => {
    const { client, ebs } = await startLocalService();
    const snapshotId = await storeSnapshot(client, FEW);
    const broken = {
      client,
      params: { ParentSnapshotId: 'snap-0123456789abcdef0' },
      manifest: '/nonexistent/m',
    };
    const { targets } = await copySnapshot({ client, snapshotId, targets: [broken, { client }] });
    expect(targets[0]).toMatchObject({ error: { code: 'ERR_EBS_MANIFEST_OPEN' } });
    await expectEqual(client, [snapshotId, targets[1]?.result?.snapshotId ?? '']);
    await expect(copySnapshot({ client, snapshotId, targets: [broken] })).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_OPEN',
    });
    ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 700, fault: 'corrupt', times: 4 });
    await expect(copySnapshot({ client, snapshotId, targets: [{ client }] })).rejects.toMatchObject(
      {
        code: 'ERR_EBS_INTEGRITY',
        blockIndex: 700,
      },
    );
  });

  it('goes on after it was stopped, and reads no block again that was sent', async () => {
    const { client, ebs, requests } = await startLocalService();
    const snapshotId = await storeSnapshot(client, FEW);
    const manifest = join(await temporaryFolder(), 'copy.manifest');
    const targets = [{ client, manifest, resume: true }];
    const stop = new AbortController();
    ebs.inject({ operation: 'GetSnapshotBlock', blockIndex: 2047, fault: 'stall' });
    const onEnd = (message: unknown): void => {
      // In the next turn its record is made.
      if ((message as RequestEndMessage).operation === 'PutSnapshotBlock')
        setImmediate(() => stop.abort());
    };
    subscribe(REQUEST_END, onEnd);
    onTestFinished(() => void unsubscribe(REQUEST_END, onEnd));
    const stopped = copySnapshot({ client, snapshotId, targets, signal: stop.signal });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError', resumable: true });
    const before = requests('GetSnapshotBlock');
    const result = await copySnapshot({ client, snapshotId, targets });
    expect(requests('GetSnapshotBlock') - before).toBe(result.blocksRead);
    expect(result.blocksRead).toBeLessThan(FEW.size);
    await expectEqual(client, [snapshotId, result.targets[0]?.result?.snapshotId ?? '']);
    const other = await storeSnapshot(client, FEW);
    await expect(copySnapshot({ client, snapshotId: other, targets })).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_MISMATCH',
    });
  });
});
