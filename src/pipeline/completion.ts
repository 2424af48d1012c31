import type { Clock } from '../base/clock.ts';
import { CompletionError, SnapshotError } from '../base/errors.ts';
import type { CompleteSnapshotRequest, Transport } from '../transport/transport.ts';
import type { RetryingTransport } from './retrying.ts';

const POLL_DELAY_MIN_MS = 100;
const POLL_DELAY_MAX_MS = 5_000;

/** What waiting needs. */
export interface CompletionOptions {
  readonly transport: RetryingTransport;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/**
 * Waits until an accepted snapshot is completed and readable. A 202 alone is not success: count and checksum are judged
 * afterwards. Asks by repeating CompleteSnapshot, which tells the state without EC2 permissions, then by listing, since
 * a completed snapshot stays unreadable for up to a minute. Without limit for the first part: large snapshots take long.
 * @throws {CompletionError} ERR_EBS_SNAPSHOT_FAILED when the service failed the snapshot; ERR_EBS_UNCONFIRMED when its
 * state cannot be learned.
 */
export async function waitUntilReadable(
  request: CompleteSnapshotRequest,
  options: CompletionOptions,
): Promise<void> {
  const { transport, signal } = options;
  const { snapshotId } = request;
  try {
    await waitUntilCompleted(request, options);
    transport.expectVisibilityLag();
    await transport.listSnapshotBlocks({ snapshotId }, { signal });
  } catch (error) {
    if (!(error instanceof SnapshotError) || error instanceof CompletionError) throw error;
    throw new CompletionError(
      'ERR_EBS_UNCONFIRMED',
      `${snapshotId} was accepted but could not be confirmed: ${error.message}`,
      { snapshotId, cause: error, requestId: error.requestId },
    );
  }
}

async function waitUntilCompleted(
  request: CompleteSnapshotRequest,
  { transport, clock, signal }: { transport: Transport } & CompletionOptions,
): Promise<void> {
  for (let delayMs = POLL_DELAY_MIN_MS; ; delayMs = Math.min(2 * delayMs, POLL_DELAY_MAX_MS)) {
    const status = await transport.completeSnapshot(request, { signal });
    if (status === 'completed') return;
    if (status === 'error') throw failedError(request);
    await clock.sleep(delayMs, signal);
  }
}

/** Makes the error of a snapshot that CompleteSnapshot says is in error. */
export function failedError(request: CompleteSnapshotRequest): CompletionError {
  const { snapshotId, changedBlocksCount } = request;
  const message = `${snapshotId} was accepted with ${changedBlocksCount} blocks, then failed by the service`;
  return new CompletionError('ERR_EBS_SNAPSHOT_FAILED', message, { snapshotId });
}
