import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { uploadSnapshot } from '../../src/index.ts';
import { readBack } from '../../src/read-back.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService } from '../support/local-service.ts';
import { filledBlock, MemorySnapshot } from '../support/memory-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function disk(): Promise<string> {
  const path = join(await temporaryFolder(), 'disk.img');
  await writeFile(path, diskOf('dd0d0d'));
  return path;
}

it('reads an upload back, with and without a manifest', async () => {
  const { client, requests } = await startLocalService();
  const source = await disk();
  const uploads = [{}, { manifest: `${source}.manifest` }, { zeroBlocks: 'omit' }] as const;
  let read = 0;
  for (const options of uploads) {
    const verified: (number | undefined)[] = [];
    const on = {
      progress: ({ bytesVerified }: { bytesVerified?: number }) =>
        void verified.push(bytesVerified),
    };
    const { status, changedBlocksCount } = await uploadSnapshot({
      client,
      source,
      verify: true,
      on,
      ...options,
    });
    expect(status).toBe('completed');
    read += changedBlocksCount;
    expect(verified.at(-1)).toBe(changedBlocksCount * 524_288);
  }
  expect(requests('GetSnapshotBlock')).toBe(read);
});

it('fails when a block does not read back, and deletes the snapshot if that was asked for', async () => {
  const { client, ebs } = await startLocalService();
  const source = await disk();
  const corrupt = {
    operation: 'GetSnapshotBlock',
    blockIndex: 3,
    fault: 'corrupt',
    times: 4,
  } as const;
  const failure = async (
    options: object,
  ): Promise<{ snapshotId?: string; resumable?: boolean }> => {
    ebs.inject(corrupt);
    const upload = uploadSnapshot({ client, source, verify: true, ...options });
    await expect(upload).rejects.toMatchObject({ code: 'ERR_EBS_DIFFERENT', blockIndex: 3 });
    return upload.then(
      () => ({}),
      (error: unknown) => error as { snapshotId?: string },
    );
  };
  const deleted = await failure({ onFailure: 'delete' });
  expect(ebs.history().filter(({ operation }) => operation === 'DeleteSnapshot')).toHaveLength(1);
  const kept = await failure({ manifest: `${source}.manifest` });
  expect(kept.resumable).toBe(false);
  expect(kept.snapshotId).not.toBe(deleted.snapshotId);
  // The manifest does not call it completed, so that the next run reads it back again.
  const again = await uploadSnapshot({
    client,
    source,
    manifest: `${source}.manifest`,
    resume: true,
    verify: true,
  });
  expect(again).toMatchObject({ snapshotId: kept.snapshotId, status: 'completed' });
  await rm(source);
});

it('names the blocks that differ from what was acknowledged', async () => {
  const blocks = new Map([1, 2, 5, 7, 9].map((index) => [index, filledBlock(index)] as const));
  const snapshot = new MemorySnapshot({ blockCount: 2048, blocks });
  async function* expected(): AsyncGenerator<{ blockIndex: number; digest: Uint8Array }> {
    await Promise.resolve();
    for (const blockIndex of [1, 3, 5, 7]) {
      yield { blockIndex, digest: sha256(filledBlock(blockIndex === 7 ? 8 : blockIndex)) };
    }
  }
  const options = {
    transport: snapshot,
    snapshotId: snapshot.snapshotId,
    aheadMax: () => 2,
    signal: new AbortController().signal,
    onRead: () => undefined,
    onTail: () => undefined,
  };
  const whole = readBack({ ...options, expected: expected(), leftOutIsZero: true });
  await expect(whole).rejects.toMatchObject({
    message: `${snapshot.snapshotId} does not read back as it was sent: 4 blocks differ, 2 to 3 (content), 7 (content), 9 (content)`,
    blockIndex: 2,
  });
  const child = readBack({ ...options, expected: expected(), leftOutIsZero: false });
  await expect(child).rejects.toThrow('2 blocks differ, 3 (content), 7 (content)');
});
