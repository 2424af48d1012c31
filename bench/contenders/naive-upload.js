/** What one writes in an afternoon: PATH SIZE_GIB. A read stream in pieces of a block, and 64 workers over the AWS SDK. */
import {
  CompleteSnapshotCommand,
  EBSClient,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
} from '@aws-sdk/client-ebs';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { spentOn } from './trial.js';

const WORKERS = 64;

const [path, sizeGiB] = process.argv.slice(2);
const agent = { keepAlive: true, maxSockets: WORKERS };
const client = new EBSClient({ requestHandler: { httpAgent: agent, httpsAgent: agent } });
console.log(JSON.stringify(await spentOn(upload)));

async function upload() {
  const { SnapshotId } = await client.send(
    new StartSnapshotCommand({ VolumeSize: Number(sizeGiB) }),
  );
  const digests = await putBlocks(SnapshotId);
  const complete = new CompleteSnapshotCommand({
    SnapshotId,
    ChangedBlocksCount: digests.length,
    Checksum: sha256(Buffer.concat(digests)).toString('base64'),
    ChecksumAlgorithm: 'SHA256',
    ChecksumAggregationMethod: 'LINEAR',
  });
  await client.send(complete);
  client.destroy();
}

async function putBlocks(SnapshotId) {
  const blocks = createReadStream(path, { highWaterMark: BLOCK_SIZE })[Symbol.asyncIterator]();
  const digests = [];
  const work = async () => {
    for (;;) {
      const { value: block, done } = await blocks.next();
      if (done) return;
      const digest = sha256(block);
      const BlockIndex = digests.push(digest) - 1;
      const put = new PutSnapshotBlockCommand({
        SnapshotId,
        BlockIndex,
        BlockData: block,
        DataLength: block.length,
        Checksum: digest.toString('base64'),
        ChecksumAlgorithm: 'SHA256',
      });
      await client.send(put);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return digests;
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest();
}
