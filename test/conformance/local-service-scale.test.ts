import { expect, test } from 'vitest';
import { EBSClient, ListSnapshotBlocksCommand } from '@aws-sdk/client-ebs';
import { DEFAULT_LOCAL_CREDENTIALS } from '../../src/local.ts';
import { NODE_HASHER } from '../../src/local-server/block-hasher.ts';
import { HashedBytes } from '../../src/local-server/hashed-bytes.ts';
import { SnapshotStore } from '../../src/local-server/snapshot-store.ts';
import { startCommand } from '../support/command.ts';
import { CAN_WATCH_PROCESSES, peakResidentBytes } from '../support/serve-process.ts';
import { signHeaders } from '../support/sign-request.ts';
import { recordOf } from '../support/snapshot-record.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { BLOCK_SIZE } from './local-service-client.ts';

/** `SCALE_BLOCKS=1000000` takes half a minute more. */
const BLOCKS = Number(process.env.SCALE_BLOCKS ?? 100_000);
const SNAPSHOTS = 5000;
const BLOCKS_OF_64_TIB = 2 ** 27;
const MIB = 1_048_576;
/** Node with the service is about 90 MiB, and V8 lets two pages or three come together; of a million blocks it is the same. */
const PEAK_BYTES_MAX = 320 * MIB;

test.runIf(CAN_WATCH_PROCESSES)(
  `${BLOCKS} blocks at both ends of 64 TiB and ${SNAPSHOTS} snapshots are listed in pages, memory bounded`,
  { timeout: 180_000 },
  async () => {
    const data = await temporaryFolder();
    const snapshotId = await fill(data);
    const { child, result, lineWith } = startCommand(['serve', '--data', data]);
    try {
      const endpoint = (await lineWith('listening on')).replace('listening on ', '');
      expect(await listBlocks(endpoint, snapshotId)).toBe(BLOCKS);
      expect(await describeSnapshots(endpoint)).toBe(SNAPSHOTS + 1);
      expect(await peakResidentBytes(child.pid ?? 0)).toBeLessThan(PEAK_BYTES_MAX);
    } finally {
      child.kill('SIGTERM');
      await result;
    }
  },
);

/** Zero blocks have records and no bytes, so that the store can be filled in seconds. */
async function fill(directory: string): Promise<string> {
  const store = await SnapshotStore.open(directory);
  const content = new HashedBytes(Buffer.alloc(BLOCK_SIZE), NODE_HASHER);
  const expectedDigest = await content.digest();
  const snapshotId = await create(store);
  const snapshot = store.find(snapshotId, 'us-east-1');
  if (snapshot === undefined) throw new Error(`${snapshotId} is not there`);
  const batch = 1000;
  for (let i = 0; i < BLOCKS; i += batch) {
    const puts = Array.from({ length: batch }, (_, n) =>
      store.putBlock(snapshot, { index: indexOf(i + n), content, expectedDigest }, 1),
    );
    await Promise.all(puts);
  }
  await store.seal(snapshot, { atMs: 1, changedBlocksCount: BLOCKS, checksum: null });
  await store.settle();
  for (let i = 0; i < SNAPSHOTS; i += 1) await create(store);
  await store.close();
  return snapshotId;
}

/** The first half begins the volume, the second half ends it. */
function indexOf(i: number): number {
  return i < BLOCKS / 2 ? i : BLOCKS_OF_64_TIB - BLOCKS + i;
}

async function create(store: SnapshotStore): Promise<string> {
  const snapshotId = store.newSnapshotId();
  await store.create(recordOf(snapshotId));
  return snapshotId;
}

/** Lists all pages and returns how many blocks there were, each at its index. */
async function listBlocks(endpoint: string, SnapshotId: string): Promise<number> {
  const credentials = DEFAULT_LOCAL_CREDENTIALS;
  const client = new EBSClient({ endpoint, region: 'us-east-1', credentials });
  let count = 0;
  let NextToken: string | undefined;
  do {
    const page = await client.send(
      new ListSnapshotBlocksCommand({ SnapshotId, MaxResults: 10_000, NextToken }),
    );
    for (const { BlockIndex } of page.Blocks ?? []) {
      if (BlockIndex !== indexOf(count)) throw new Error(`${BlockIndex} came as block ${count}`);
      count += 1;
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  client.destroy();
  return count;
}

/** Describes all pages and returns how many snapshots there were. */
async function describeSnapshots(endpoint: string): Promise<number> {
  const ids = new Set<string>();
  let token = '';
  do {
    const body = new URLSearchParams({
      Action: 'DescribeSnapshots',
      Version: '2016-11-15',
      MaxResults: '1000',
      ...(token === '' ? {} : { NextToken: token }),
    });
    const headers = signHeaders(endpoint, { method: 'POST', url: '/', service: 'ec2' });
    const text = await (await fetch(endpoint, { method: 'POST', headers, body })).text();
    for (const [, id = ''] of text.matchAll(/<snapshotId>(.*?)</g)) ids.add(id);
    token = /<nextToken>(.*?)</.exec(text)?.[1] ?? '';
  } while (token !== '');
  return ids.size;
}
