import type { EBSClient } from '@aws-sdk/client-ebs';
import { ec2Request, sendEc2Query } from '../../src/transport/ec2-query.ts';

interface DescribeSnapshots {
  readonly DescribeSnapshotsResponse: {
    readonly snapshotSet: '' | { readonly item: StoredState | readonly StoredState[] };
  };
}

/** What EC2 tells of a snapshot. */
export interface StoredState {
  readonly snapshotId: string;
  readonly status: string;
}

/** Every snapshot that the service of a client has, as DescribeSnapshots tells it. */
export async function storedStates(client: EBSClient): Promise<StoredState[]> {
  const { protocol, hostname, port } = (await client.config.endpoint?.()) ?? {};
  const document = (await sendEc2Query({
    config: client.config,
    endpoint: { protocol: protocol ?? '', hostname: hostname ?? '', port },
    request: ec2Request({ Action: 'DescribeSnapshots' }),
  })) as DescribeSnapshots;
  const { snapshotSet } = document.DescribeSnapshotsResponse;
  const items = snapshotSet === '' ? [] : [snapshotSet.item].flat();
  return items.map(({ snapshotId, status }) => ({ snapshotId, status }));
}
