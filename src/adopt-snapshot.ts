import { abortError, SnapshotError, type ServiceError } from './base/errors.ts';
import type { Connection } from './connection.ts';
import { limitedCall } from './limited-call.ts';
import { failureOf } from './snapshot-fate.ts';
import type { SnapshotDescription, StartSnapshotAnswer } from './transport/transport.ts';

/** A snapshot that was started by another, and what a part of it is about to do. */
export interface Adoption {
  readonly snapshotId: string;
  readonly volumeSizeGiB: number;
  readonly zeroBlocks: 'write' | 'omit';
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/**
 * Finds a snapshot that was started by another, as far as EC2 tells of it: a role without ec2:DescribeSnapshots may write
 * blocks all the same, and the service then refuses what cannot be.
 * @throws {ServiceError} when there is none, {@link SnapshotError} or CompletionError when it takes no blocks any more;
 * ERR_EBS_VOLUME_MISMATCH when it is of another volume size; ERR_EBS_OMIT_REFUSED when it is, or may be, encrypted.
 */
export async function adoptSnapshot(adoption: Adoption): Promise<StartSnapshotAnswer> {
  const { snapshotId, volumeSizeGiB, zeroBlocks, connection } = adoption;
  const found = await describe(adoption);
  if (found !== undefined) mustTakeBlocks(found, adoption);
  if (zeroBlocks === 'omit' && found?.isEncrypted !== false) {
    const message =
      found?.isEncrypted === true
        ? `${snapshotId} is encrypted, so zero blocks cannot be omitted`
        : `EC2 does not tell whether ${snapshotId} is encrypted, so zero blocks cannot be omitted`;
    throw new SnapshotError('ERR_EBS_OMIT_REFUSED', message, { snapshotId });
  }
  const startTime = found?.startTime;
  connection.transport.expectVisibilityLag(Date.now() - (startTime?.getTime() ?? Date.now()));
  return {
    SnapshotId: snapshotId,
    VolumeSize: volumeSizeGiB,
    Status: 'pending',
    ...(startTime === undefined ? {} : { StartTime: startTime }),
  };
}

/** Undefined when EC2 may not, or cannot, be asked. */
async function describe({
  snapshotId,
  connection,
  signal,
}: Adoption): Promise<SnapshotDescription | undefined> {
  const { transport, clock } = connection;
  try {
    return await limitedCall(
      clock,
      (limited) => transport.describeSnapshot({ snapshotId }, { signal: limited }),
      signal,
    );
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    const { serviceCode } = error as Partial<ServiceError>;
    if (serviceCode?.startsWith('InvalidSnapshot') === true) throw error;
    return undefined;
  }
}

function mustTakeBlocks(found: SnapshotDescription, { snapshotId, volumeSizeGiB }: Adoption): void {
  const { status, volumeSizeGiB: actualGiB } = found;
  if (status === 'completed') {
    const message = `${snapshotId} is completed and takes no blocks any more`;
    throw new SnapshotError('ERR_EBS_SNAPSHOT_SEALED', message, { snapshotId });
  }
  if (status === 'error') throw failureOf(found, { snapshotId });
  if (actualGiB === undefined || actualGiB === volumeSizeGiB) return;
  const message = `${snapshotId} is of a volume of ${actualGiB} GiB, not ${volumeSizeGiB}`;
  throw new SnapshotError('ERR_EBS_VOLUME_MISMATCH', message, { snapshotId });
}
