import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { findPython, programOf } from './installed-clients.ts';
import { serveClients, type ServiceForClients } from './service-for-clients.ts';

const BLOCK_SIZE = 524_288;
const python = await findPython();

type Json = Record<string, unknown>;
type Aws = (line: string, ...more: readonly string[]) => Promise<Json>;

/** The AWS CLI, its arguments in one line as in a shell, its JSON parsed. */
function awsOf({ run }: ServiceForClients, pythonProgram: string): Aws {
  return async (line, ...more) => {
    const stdout = await run(join(dirname(pythonProgram), 'aws'), ...line.split(' '), ...more);
    return stdout === '' ? {} : (JSON.parse(stdout) as Json);
  };
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

/** A snapshot of one block, by the CLI alone. */
async function uploadBlock(
  { parent }: ServiceForClients,
  aws: Aws,
  block: { readonly index: number; readonly byte: number; readonly parentId?: string },
): Promise<string> {
  const data = Buffer.alloc(BLOCK_SIZE, block.byte);
  await writeFile(join(parent, 'block'), data);
  const lineage = block.parentId === undefined ? '' : ` --parent-snapshot-id ${block.parentId}`;
  const started = await aws(`ebs start-snapshot --volume-size 1${lineage}`);
  const id = String(started.SnapshotId);
  await aws(
    `ebs put-snapshot-block --snapshot-id ${id} --block-index ${block.index} --block-data block ` +
      `--data-length ${BLOCK_SIZE} --checksum-algorithm SHA256`,
    '--checksum',
    sha256(data).toString('base64'),
  );
  await aws(
    `ebs complete-snapshot --snapshot-id ${id} --changed-blocks-count 1 ` +
      '--checksum-algorithm SHA256 --checksum-aggregation-method LINEAR',
    '--checksum',
    sha256(sha256(data)).toString('base64'),
  );
  await aws(`ec2 wait snapshot-completed --snapshot-ids ${id}`);
  return id;
}

test('the AWS CLI writes, lists, compares and reads snapshots', async (context) => {
  const program = programOf(python, context);
  const service = await serveClients();
  const aws = awsOf(service, program);
  const first = await uploadBlock(service, aws, { index: 3, byte: 1 });
  const second = await uploadBlock(service, aws, { index: 5, byte: 2, parentId: first });

  const listed = await aws(`ebs list-snapshot-blocks --snapshot-id ${second}`);
  const blocks = listed.Blocks as { BlockIndex: number; BlockToken: string }[];
  expect(blocks.map(({ BlockIndex }) => BlockIndex)).toEqual([3, 5]);
  const changed = await aws(
    `ebs list-changed-blocks --first-snapshot-id ${first} --second-snapshot-id ${second}`,
  );
  expect(changed.ChangedBlocks).toMatchObject([{ BlockIndex: 5 }]);
  for (const { BlockIndex, BlockToken } of blocks) {
    await aws(
      `ebs get-snapshot-block --snapshot-id ${second} --block-index ${BlockIndex}`,
      '--block-token',
      BlockToken,
      'read',
    );
    const data = await readFile(join(service.parent, 'read'));
    expect(data.equals(Buffer.alloc(BLOCK_SIZE, BlockIndex === 3 ? 1 : 2))).toBe(true);
  }
});

test('the AWS CLI finds, tags and deletes snapshots, and asks who and where it is', async (context) => {
  const program = programOf(python, context);
  const service = await serveClients();
  const aws = awsOf(service, program);
  const id = await uploadBlock(service, aws, { index: 0, byte: 9 });
  const find = async (line: string): Promise<string[]> => {
    const { Snapshots } = await aws(`ec2 describe-snapshots ${line}`);
    return (Snapshots as { SnapshotId: string }[]).map(({ SnapshotId }) => SnapshotId);
  };

  await aws(`ec2 create-tags --resources ${id} --tags Key=job,Value=nightly`);
  expect(
    await find(
      '--owner-ids self --filters Name=tag:job,Values=night* Name=status,Values=completed',
    ),
  ).toEqual([id]);
  expect(await find('--filters Name=volume-size,Values=2')).toEqual([]);
  expect(await aws(`ec2 describe-tags --filters Name=resource-id,Values=${id}`)).toEqual({
    Tags: [{ Key: 'job', ResourceId: id, ResourceType: 'snapshot', Value: 'nightly' }],
  });
  await aws(`ec2 delete-tags --resources ${id} --tags Key=job`);
  expect(await find('--filters Name=tag-key,Values=job')).toEqual([]);
  await aws(`ec2 delete-snapshot --snapshot-id ${id}`);
  expect(await find('')).toEqual([]);

  const missing = await service.tryRun(
    join(dirname(program), 'aws'),
    ...`ec2 describe-snapshots --snapshot-ids ${id}`.split(' '),
  );
  expect(missing.stderr).toContain(`(InvalidSnapshot.NotFound)`);
  expect(missing.stderr).toContain(`The snapshot '${id}' does not exist.`);

  expect(await aws('sts get-caller-identity')).toMatchObject({ Account: '111122223333' });
  expect(await aws('s3api list-buckets')).toMatchObject({ Buckets: [] });
  expect(await aws('ec2 describe-regions --region-names us-east-1')).toMatchObject({
    Regions: [{ RegionName: 'us-east-1', OptInStatus: 'opt-in-not-required' }],
  });
  expect(await aws('ec2 get-ebs-encryption-by-default')).toMatchObject({
    EbsEncryptionByDefault: false,
  });
});
