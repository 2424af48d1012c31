import { SnapshotError, uploadSnapshot } from 'ebs-snapshot-stream';

try {
  await uploadSnapshot({ source: 'no-such.img' });
} catch (error) {
  if (error.code === 'ERR_EBS_SOURCE_OPEN') console.log('no disk there');
  else if (error instanceof SnapshotError && error.retryable) console.log('try again later');
  else throw error;
}
