import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startLocalService } from '../support/local-service.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const environment = join(root, 'node_modules/.cache/boto3');
const python = join(environment, 'bin/python');
const hasBoto3 = await installBoto3();

/** Installs boto3 once, beside the dependencies; false where there is no Python or no package index. */
async function installBoto3(): Promise<boolean> {
  try {
    if (!existsSync(python)) await run('python3', ['-m', 'venv', environment]);
    await run(python, ['-m', 'pip', 'install', '--quiet', 'boto3']);
    return true;
  } catch {
    return false;
  }
}

const SCRIPT = `
import base64, hashlib, sys
import boto3

endpoint, region, key, secret = sys.argv[1:]
ebs = boto3.client('ebs', endpoint_url=endpoint, region_name=region,
                   aws_access_key_id=key, aws_secret_access_key=secret)
blocks = {0: b'\\x01' * 524288, 7: bytes(524288), 2047: b'\\xff' * 524288}
digest = lambda data: hashlib.sha256(data).digest()
b64 = lambda data: base64.b64encode(data).decode()

snapshot = ebs.start_snapshot(VolumeSize=1, Tags=[{'Key': 'k', 'Value': 'v'}])['SnapshotId']
for index, data in blocks.items():
    ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=data, DataLength=len(data),
                           Checksum=b64(digest(data)), ChecksumAlgorithm='SHA256')
aggregate = digest(b''.join(digest(blocks[index]) for index in sorted(blocks)))
ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(blocks), Checksum=b64(aggregate),
                      ChecksumAlgorithm='SHA256', ChecksumAggregationMethod='LINEAR')

listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)['Blocks']
assert [block['BlockIndex'] for block in listed] == sorted(blocks), listed
for block in listed:
    answer = ebs.get_snapshot_block(SnapshotId=snapshot, **block)
    data = answer['BlockData'].read()
    assert data == blocks[block['BlockIndex']], block
    assert answer['Checksum'] == b64(digest(data)), block
print('equal')
`;

test.skipIf(!hasBoto3)('unmodified boto3 writes and reads a snapshot', async () => {
  const { ebs } = await startLocalService();
  const { accessKeyId, secretAccessKey } = ebs.credentials;
  const args = ['-c', SCRIPT, ebs.endpoint, ebs.region, accessKeyId, secretAccessKey];
  const { stdout } = await run(python, args);
  expect(stdout).toBe('equal\n');
});
