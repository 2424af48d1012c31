import type { StartSnapshotRequest } from '@aws-sdk/client-ebs';
import { timingSafeEqual } from 'node:crypto';
import type { Clock, Random } from '../base/clock.ts';
import { sha256 } from '../base/digest.ts';
import { IntegrityError, SnapshotError, ThrottleError, type RetryClass } from '../base/errors.ts';
import type {
  BlockAnswer,
  BlockPage,
  CallOptions,
  CompleteSnapshotRequest,
  GetBlockRequest,
  ListBlocksRequest,
  Operation,
  PutBlockRequest,
  SnapshotStatus,
  StartSnapshotAnswer,
  Transport,
} from '../transport/transport.ts';
import { ForwardingTransport } from './forwarding-transport.ts';
import { retryDelayMs } from './retry-schedule.ts';

/** Milliseconds for which a new snapshot, or one just completed, may be unknown to a part of the service (field reports). */
export const VISIBILITY_MS = 120_000;

/** One attempt that failed and will be repeated. */
export interface Retry {
  readonly operation: Operation;
  readonly blockIndex: number | undefined;
  /** The attempt that failed, counted from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: Error;
}

/** What the retry layer needs from outside. */
export interface RetryingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onRetry: (retry: Retry) => void;
  readonly onThrottle: (error: ThrottleError, operation: Operation) => void;
}

/** The one retry layer: repeats each call until it succeeds, its failure is final, or its signal aborts. */
export class RetryingTransport extends ForwardingTransport {
  readonly #options: RetryingOptions;
  #visibilityEndsAtMs = -Infinity;
  #asleep = 0;

  constructor(inner: Transport, options: RetryingOptions) {
    super(inner);
    this.#options = options;
  }

  /** Calls that wait for their time to be repeated. */
  get asleep(): number {
    return this.#asleep;
  }

  /** Says that a snapshot came into being now, so that for a while "not found" means "not yet known everywhere". */
  expectVisibilityLag(): void {
    this.#visibilityEndsAtMs = this.#options.clock.now() + VISIBILITY_MS;
  }

  override startSnapshot(
    request: StartSnapshotRequest,
    options?: CallOptions,
  ): Promise<StartSnapshotAnswer> {
    // A parent that has just been completed is refused as "not complete" for about a minute.
    this.expectVisibilityLag();
    return this.#repeat({ operation: 'StartSnapshot' }, options, (o) =>
      this.inner.startSnapshot(request, o),
    );
  }

  override putSnapshotBlock(request: PutBlockRequest, options?: CallOptions): Promise<void> {
    const { blockIndex } = request;
    return this.#repeat({ operation: 'PutSnapshotBlock', blockIndex }, options, async (o) => {
      try {
        await this.inner.putSnapshotBlock(request, o);
      } catch (error) {
        throw isChecksumRefusal(error) ? withLocalCheck(error, request) : error;
      }
    });
  }

  override completeSnapshot(
    request: CompleteSnapshotRequest,
    options?: CallOptions,
  ): Promise<SnapshotStatus> {
    return this.#repeat({ operation: 'CompleteSnapshot' }, options, (o) =>
      this.inner.completeSnapshot(request, o),
    );
  }

  override listSnapshotBlocks(
    request: ListBlocksRequest,
    options?: CallOptions,
  ): Promise<BlockPage> {
    return this.#repeat({ operation: 'ListSnapshotBlocks' }, options, (o) =>
      this.inner.listSnapshotBlocks(request, o),
    );
  }

  override getSnapshotBlock(request: GetBlockRequest, options?: CallOptions): Promise<BlockAnswer> {
    const { blockIndex } = request;
    return this.#repeat({ operation: 'GetSnapshotBlock', blockIndex }, options, (o) =>
      this.inner.getSnapshotBlock(request, o),
    );
  }

  override deleteSnapshot(
    request: { readonly snapshotId: string },
    options?: CallOptions,
  ): Promise<void> {
    return this.#repeat({ operation: 'DeleteSnapshot' }, options, (o) =>
      this.inner.deleteSnapshot(request, o),
    );
  }

  async #repeat<T>(
    call: { readonly operation: Operation; readonly blockIndex?: number },
    options: CallOptions | undefined,
    attemptOnce: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const { clock, random } = this.#options;
    const failures = new Map<RetryClass, number>();
    let firstFailureMs: number | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await attemptOnce({ ...options, attempt });
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
        if (error instanceof ThrottleError) this.#options.onThrottle(error, call.operation);
        const now = clock.now();
        firstFailureMs ??= now;
        const count = (failures.get(error.retryClass) ?? 0) + 1;
        failures.set(error.retryClass, count);
        const delayMs = retryDelayMs(
          {
            retryClass: error.retryClass,
            failures: count,
            sinceFirstFailureMs: now - firstFailureMs,
            visibilityLeftMs: this.#visibilityEndsAtMs - now,
          },
          random,
        );
        error.attempts = attempt;
        if (delayMs === undefined) throw error;
        this.#options.onRetry({ ...call, blockIndex: call.blockIndex, attempt, delayMs, error });
        this.#asleep += 1;
        await clock.sleep(delayMs, options?.signal).finally(() => (this.#asleep -= 1));
      }
    }
  }
}

function isChecksumRefusal(error: unknown): error is SnapshotError {
  return error instanceof SnapshotError && error.retryClass === 'checksum';
}

/** The service saw other bytes than the digest says: looks whether ours have changed in memory. */
function withLocalCheck(refusal: SnapshotError, request: PutBlockRequest): SnapshotError {
  const { snapshotId, blockIndex, data, digest } = request;
  if (timingSafeEqual(sha256(data), digest)) return refusal;
  const message = `block ${blockIndex} changed in memory after it was hashed; it was not written`;
  return new IntegrityError(message, { snapshotId, blockIndex, cause: refusal });
}
