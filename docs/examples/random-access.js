import { SnapshotFile, uploadSnapshot } from 'ebs-snapshot-stream';

const { snapshotId } = await uploadSnapshot({ source: 'disk.img' });
const disk = await SnapshotFile.open({ snapshotId });
const bootSector = await disk.readAt(0, 512);
const label = await disk.readAt(1_000_000, 16);
console.log(`${disk.sizeBytes} bytes, boot sector ${bootSector.toString('hex', 0, 8)}`);
console.log(`at 1,000,000: ${label.toString('hex')}`);
await disk.close();
