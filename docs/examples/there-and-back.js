import { restoreSnapshot, uploadSnapshot } from 'ebs-snapshot-stream';

const { snapshotId } = await uploadSnapshot({
  source: 'disk.img',
  on: { progress: ({ bytesDone, bytesTotal }) => console.error(bytesDone, 'of', bytesTotal) },
});
const { bytesWritten } = await restoreSnapshot({ snapshotId, target: 'copy.img' });
console.log(`${snapshotId} restored, ${bytesWritten} bytes`);
