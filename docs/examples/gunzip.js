import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SnapshotWriter } from 'ebs-snapshot-stream';

const writer = new SnapshotWriter({ params: { VolumeSize: 1 } });
await pipeline(createReadStream('disk.img.gz'), createGunzip(), writer);
console.log((await writer.done()).checksum);
