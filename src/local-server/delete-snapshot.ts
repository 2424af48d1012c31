import type { Answer } from './answers.ts';
import {
  checkSnapshotId,
  ec2SnapshotNotFound,
  requiredParameter,
  type Ec2Call,
} from './ec2-call.ts';
import { ec2Answer } from './ec2-xml.ts';
import type { Service } from './service.ts';

/** EC2's DeleteSnapshot: takes parents with children, pending snapshots and failed ones alike. */
export async function deleteSnapshot(
  { store }: Service,
  { form, region }: Ec2Call,
): Promise<Answer> {
  const snapshotId = requiredParameter(form, 'SnapshotId');
  checkSnapshotId(snapshotId);
  const snapshot = store.find(snapshotId, region);
  if (snapshot === undefined) throw ec2SnapshotNotFound(snapshotId);
  await store.delete(snapshot);
  return ec2Answer('DeleteSnapshot', { return: 'true' });
}
