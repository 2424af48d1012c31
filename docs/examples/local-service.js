import { EBSClient } from '@aws-sdk/client-ebs';
import { uploadSnapshot } from 'ebs-snapshot-stream';
import { LocalEbs } from 'ebs-snapshot-stream/local';

const service = await LocalEbs.start({ directory: 'snapshots' });
const { endpoint, region, credentials } = service;
const client = new EBSClient({ endpoint, region, credentials });
const { status } = await uploadSnapshot({ client, source: 'disk.img' });
console.log(status);
client.destroy();
await service.close();
