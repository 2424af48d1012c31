import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findPython, programOf } from './installed-clients.ts';
import { serveClients } from './service-for-clients.ts';

const python = await findPython();

const WRITE_AND_READ = `
import base64, hashlib
import boto3

ebs = boto3.client('ebs')
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

/** What flexible-snapshot-proxy asks before every command, and how a tool waits for a snapshot and cleans it up. */
const AROUND = `
import boto3
from botocore.exceptions import ClientError

sts, s3, ec2, ebs = (boto3.client(name) for name in ('sts', 's3', 'ec2', 'ebs'))
assert sts.get_caller_identity()['Account'] == '111122223333'
assert sts.get_caller_identity()['UserId']
assert s3.list_buckets()['Owner']['ID']
assert 'us-east-1' in [region['RegionName'] for region in ec2.describe_regions()['Regions']]

ids = sorted(ebs.start_snapshot(VolumeSize=size)['SnapshotId'] for size in range(1, 8))
for snapshot in ids:
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=0)
ec2.get_waiter('snapshot_completed').wait(SnapshotIds=ids)
pages = ec2.get_paginator('describe_snapshots').paginate(OwnerIds=['self'], PaginationConfig={'PageSize': 5})
assert [item['SnapshotId'] for page in pages for item in page['Snapshots']] == ids
assert ec2.describe_snapshots(SnapshotIds=ids[:1])['Snapshots'][0]['State'] == 'completed'

ec2.create_tags(Resources=ids, Tags=[{'Key': 'k', 'Value': 'v'}])
assert len(ec2.describe_tags()['Tags']) == len(ids)
ec2.delete_snapshot(SnapshotId=ids[0])
try:
    ec2.describe_snapshots(SnapshotIds=ids[:1])
    raise SystemExit('the snapshot is still there')
except ClientError as error:
    assert error.response['Error']['Code'] == 'InvalidSnapshot.NotFound', error
print('good')
`;

test('boto3 writes and reads a snapshot', async (context) => {
  const program = programOf(python, context);
  const { run } = await serveClients();
  expect(await run(program, '-c', WRITE_AND_READ)).toBe('equal\n');
});

test('boto3 makes the calls that tools make around an upload', async (context) => {
  const program = programOf(python, context);
  const { run } = await serveClients();
  expect(await run(program, '-c', AROUND)).toBe('good\n');
});

test('the example for pytest passes', async (context) => {
  const program = programOf(python, context);
  const { parent, run } = await serveClients();
  const example = fileURLToPath(
    new URL('../../docs/examples/test_local_service.py', import.meta.url),
  );
  // A copy, so that Python leaves nothing beside the example.
  await cp(example, join(parent, 'test_example.py'));
  expect(await run(program, '-m', 'pytest', '-q', 'test_example.py')).toContain('1 passed');
});
