import { EBSClient } from '@aws-sdk/client-ebs';
import { uploadSnapshot } from 'ebs-snapshot-stream';
import { LocalEbs } from 'ebs-snapshot-stream/local';
import { expect, test } from 'vitest';

test('a lost connection costs one retry', async () => {
  const ebs = await LocalEbs.start({ directory: 'snapshots' });
  const { endpoint, region, credentials } = ebs;
  const client = new EBSClient({ endpoint, region, credentials });
  ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 1, fault: 'reset' });

  const { status } = await uploadSnapshot({ client, source: 'disk.img' }); // what you test

  const puts = ebs.history().filter(({ operation }) => operation === 'PutSnapshotBlock');
  expect(status).toBe('completed');
  expect(puts.filter(({ blockIndex }) => blockIndex === 1)).toHaveLength(2);
  client.destroy();
  await ebs.close();
});
