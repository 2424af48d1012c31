import { pipeline } from 'node:stream/promises';
import { BlockReader, SnapshotWriter } from 'ebs-snapshot-stream';

const writer = new SnapshotWriter({
  params: { VolumeSize: 1, Description: 'web server', Tags: [{ Key: 'Name', Value: 'web' }] },
});
writer.on('snapshot', ({ SnapshotId }) => console.error(`${SnapshotId} started`));
await pipeline(new BlockReader('disk.img'), writer);
const { snapshotId } = await writer.done();
console.log(snapshotId);
