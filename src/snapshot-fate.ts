import { CompletionError, ServiceError, SnapshotError } from './base/errors.ts';
import type { SnapshotDescription } from './transport/transport.ts';

/** Asks EC2 for a snapshot. */
type Describe = () => Promise<SnapshotDescription>;

/** Whether a refusal says that the snapshot can take nothing more, without saying why. */
export function isEndOfSnapshot(failure: unknown): failure is ServiceError {
  if (!(failure instanceof ServiceError)) return false;
  const { reason, serviceMessage = '' } = failure;
  return reason === 'SNAPSHOT_NOT_FOUND' || /already completed/i.test(serviceMessage);
}

/**
 * Tells what became of a snapshot that takes nothing more. The EBS direct APIs answer "not found" for one that was
 * deleted, given up or failed alike; EC2 knows (contract: life of a snapshot). What it may not tell is left as it was.
 */
export async function tellFate(
  failure: ServiceError,
  { snapshotId, describe }: { readonly snapshotId: string; readonly describe: Describe },
): Promise<SnapshotError> {
  const fields = { snapshotId, cause: failure, requestId: failure.requestId };
  const found = await describe().catch((error: unknown) => error as Error);
  if (found instanceof Error) {
    const { serviceCode } = found as Partial<ServiceError>;
    if (serviceCode !== 'InvalidSnapshot.NotFound') return failure;
    const message = `${snapshotId} was deleted before it was finished`;
    return new SnapshotError('ERR_EBS_SNAPSHOT_DELETED', message, fields);
  }
  if (found.status === 'error') return failureOf(found, fields);
  const isSealed = found.status === 'completed' || failure.reason !== 'SNAPSHOT_NOT_FOUND';
  if (!isSealed) return failure;
  const message = `${snapshotId} was completed by another before this source was in it`;
  return new SnapshotError('ERR_EBS_SNAPSHOT_SEALED', message, fields);
}

/** What is to be told of a snapshot in state `error`. */
export function failureOf(
  { statusMessage }: SnapshotDescription,
  fields: { readonly snapshotId: string; readonly cause?: Error },
): SnapshotError {
  const { snapshotId } = fields;
  if (/timed out/i.test(statusMessage)) {
    const message = `${snapshotId} was given up by the service: it had got no block for too long`;
    return new SnapshotError('ERR_EBS_SNAPSHOT_EXPIRED', message, fields);
  }
  const message = `${snapshotId} was failed by the service: ${statusMessage || 'no reason given'}`;
  return new CompletionError('ERR_EBS_SNAPSHOT_FAILED', message, fields);
}
