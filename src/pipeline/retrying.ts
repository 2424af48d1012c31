import type { StartSnapshotRequest } from '@aws-sdk/client-ebs';
import { timingSafeEqual } from 'node:crypto';
import type { Clock, Random } from '../base/clock.ts';
import { sha256 } from '../base/digest.ts';
import { IntegrityError, SnapshotError, ThrottleError, type RetryClass } from '../base/errors.ts';
import type {
  BlockAnswer,
  BlockPage,
  CallOptions,
  ChangedPage,
  CompleteSnapshotRequest,
  GetBlockRequest,
  ListBlocksRequest,
  ListChangedRequest,
  Operation,
  PutBlockRequest,
  SnapshotDescription,
  SnapshotStatus,
  StartSnapshotAnswer,
  Transport,
} from '../transport/transport.ts';
import { ForwardingTransport } from './forwarding-transport.ts';
import { retryDelayMs } from './retry-schedule.ts';
import { VisibilityProbe } from './visibility-probe.ts';

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

/** A call that is repeated, and its identity. */
interface RepeatedCall {
  readonly operation: Operation;
  readonly blockIndex?: number;
}

/** What a call has met so far. */
interface CallHistory {
  readonly failures: Map<RetryClass, number>;
  firstFailureMs: number | undefined;
}

/** The one retry layer: repeats each call until it succeeds, its failure is final, or its signal aborts. */
export class RetryingTransport extends ForwardingTransport {
  readonly #options: RetryingOptions;
  readonly #probe = new VisibilityProbe();
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

  /**
   * Says that a snapshot came into being, so that for a while "not found" means "not yet known everywhere".
   * @param sinceMs - how long ago that was. Default 0.
   */
  expectVisibilityLag(sinceMs = 0): void {
    const leftMs = Math.min(VISIBILITY_MS, VISIBILITY_MS - sinceMs);
    this.#visibilityEndsAtMs = this.#options.clock.now() + leftMs;
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
    return this.#repeat({ operation: 'PutSnapshotBlock', blockIndex }, options, (o) =>
      this.inner.putSnapshotBlock(request, o).catch((error: unknown) => {
        throw isChecksumFailure(error) ? withLocalCheck(error, request) : error;
      }),
    );
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

  override listChangedBlocks(
    request: ListChangedRequest,
    options?: CallOptions,
  ): Promise<ChangedPage> {
    return this.#repeat({ operation: 'ListChangedBlocks' }, options, (o) =>
      this.inner.listChangedBlocks(request, o),
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

  override describeSnapshot(
    request: { readonly snapshotId: string },
    options?: CallOptions,
  ): Promise<SnapshotDescription> {
    return this.#repeat({ operation: 'DescribeSnapshots' }, options, (o) =>
      this.inner.describeSnapshot(request, o),
    );
  }

  async #repeat<T>(
    call: RepeatedCall,
    options: CallOptions | undefined,
    attemptOnce: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    let history: CallHistory | undefined;
    const { observer, signal, onAdmitted } = options ?? {};
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await attemptOnce({ observer, signal, onAdmitted, attempt });
        } catch (error) {
          if (!(error instanceof SnapshotError)) throw error;
          error.attempts = attempt;
          if (error instanceof ThrottleError) this.#options.onThrottle(error, call.operation);
          history ??= { failures: new Map(), firstFailureMs: undefined };
          const delayMs = this.#delayMs(error, history);
          if (delayMs === undefined) throw error;
          const { operation, blockIndex } = call;
          this.#options.onRetry({ operation, blockIndex, attempt, delayMs, error });
          await this.#pause(call, { error, delayMs, signal });
        }
      }
    } finally {
      this.#probe.ended(call);
    }
  }

  /** Milliseconds to wait after a failure, which is put on the call's record; undefined when it is final. */
  #delayMs({ retryClass }: SnapshotError, history: CallHistory): number | undefined {
    const { clock, random } = this.#options;
    const nowMs = clock.now();
    const failures = (history.failures.get(retryClass) ?? 0) + 1;
    history.failures.set(retryClass, failures);
    history.firstFailureMs ??= nowMs;
    const sinceFirstFailureMs = nowMs - history.firstFailureMs;
    const visibilityLeftMs = this.#visibilityEndsAtMs - nowMs;
    return retryDelayMs({ retryClass, failures, sinceFirstFailureMs, visibilityLeftMs }, random);
  }

  async #pause(
    call: RepeatedCall,
    { error, delayMs, signal }: { error: SnapshotError; delayMs: number } & CallOptions,
  ): Promise<void> {
    const sleep = (): Promise<void> => this.#options.clock.sleep(delayMs, signal);
    this.#asleep += 1;
    try {
      await (error.retryClass === 'visibility' ? this.#probe.wait(call, sleep, signal) : sleep());
    } finally {
      this.#asleep -= 1;
    }
  }
}

function isChecksumFailure(error: unknown): error is SnapshotError {
  return error instanceof SnapshotError && error.retryClass === 'checksum';
}

/** The service saw or stored other bytes than the digest says: looks whether ours have changed in memory. */
function withLocalCheck(failure: SnapshotError, request: PutBlockRequest): SnapshotError {
  const { snapshotId, blockIndex, data, digest } = request;
  if (timingSafeEqual(sha256(data), digest)) return failure;
  const message = `block ${blockIndex} changed in memory after it was hashed`;
  return new IntegrityError(message, {
    snapshotId,
    blockIndex,
    requestId: failure.requestId,
    cause: failure,
  });
}
