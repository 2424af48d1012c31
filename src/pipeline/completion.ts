import type { Clock } from '../base/clock.ts';
import { CompletionError, SnapshotError } from '../base/errors.ts';
import type { CompleteSnapshotRequest, SnapshotStatus, Transport } from '../transport/transport.ts';
import type { RetryingTransport } from './retrying.ts';

const POLL_DELAY_MIN_MS = 100;
const POLL_DELAY_MAX_MS = 5_000;

/** What waiting needs. */
export interface CompletionOptions {
  readonly transport: RetryingTransport;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/** How far a snapshot's end has come. `completing`: it is about to be asked for; `completed`: it is readable. */
export type CompletionState = 'completing' | 'accepted' | 'completed';

/** How a snapshot is completed. */
export interface CompleteOptions extends CompletionOptions {
  readonly waitUntil: 'accepted' | 'completed';
  /** Waited for before the next step is taken. */
  readonly onState: (state: CompletionState) => Promise<void>;
  /** Told the first answer to CompleteSnapshot; what it throws ends the completing. */
  readonly onStatus?: (status: SnapshotStatus) => void;
}

/**
 * Completes a snapshot, and waits until it can be read unless told otherwise.
 * @throws {CompletionError} ERR_EBS_SNAPSHOT_FAILED, ERR_EBS_UNCONFIRMED; or what the service refused it with.
 */
export async function completeSnapshot(
  request: CompleteSnapshotRequest,
  options: CompleteOptions,
): Promise<void> {
  const { transport, signal, waitUntil, onState, onStatus } = options;
  await onState('completing');
  const status = await transport.completeSnapshot(request, { signal });
  if (status === 'error') throw failedError(request);
  onStatus?.(status);
  await onState('accepted');
  if (waitUntil === 'accepted') return;
  await waitUntilReadable(request, options);
  await onState('completed');
}

/**
 * Waits until an accepted snapshot is completed and readable. A 202 alone is not success: count and checksum are judged
 * afterwards. Asks by repeating CompleteSnapshot, which tells the state without EC2 permissions, then by listing, since
 * a completed snapshot stays unreadable for up to a minute. Without limit for the first part: large snapshots take long.
 * @throws {CompletionError} ERR_EBS_SNAPSHOT_FAILED when the service failed the snapshot; ERR_EBS_UNCONFIRMED when its
 * state cannot be learned.
 */
async function waitUntilReadable(
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
function failedError(request: CompleteSnapshotRequest): CompletionError {
  const { snapshotId, changedBlocksCount } = request;
  const message = `${snapshotId} was accepted with ${changedBlocksCount} blocks, then failed by the service`;
  return new CompletionError('ERR_EBS_SNAPSHOT_FAILED', message, { snapshotId });
}
