import { abortable } from '../base/abortable.ts';
import { BLOCK_SIZE } from '../base/constants.ts';
import { ServiceError, SnapshotError, ThrottleError, TransportError } from '../base/errors.ts';
import type {
  BlockAnswer,
  CallOptions,
  GetBlockRequest,
  PutBlockRequest,
  Transport,
} from '../transport/transport.ts';
import { ForwardingTransport } from './forwarding-transport.ts';
import type { GatePass } from './shared-gates.ts';
import type { Outcome } from './window.ts';

/** The calls that carry a block. The two directions have quotas and ways of their own. */
export type BlockOperation = 'PutSnapshotBlock' | 'GetSnapshotBlock';

/** The block that a call carries. */
interface CarriedBlock {
  readonly snapshotId: string;
  readonly blockIndex: number;
}

/** Gets a job its place at the gate of one direction. */
export type JoinGate = (operation: BlockOperation, snapshotId: string) => Promise<GatePass>;

/** Lets the calls that carry a block through their gate one by one; the few other calls pass freely. */
export class AdmittingTransport extends ForwardingTransport {
  readonly #join: JoinGate;
  readonly #passes = new Map<BlockOperation, Promise<GatePass>>();
  /** Those of them that are there, so that the many blocks after the first wait for none. */
  readonly #joined = new Map<BlockOperation, GatePass>();

  constructor(inner: Transport, join: JoinGate) {
    super(inner);
    this.#join = join;
  }

  override putSnapshotBlock(request: PutBlockRequest, options?: CallOptions): Promise<void> {
    return this.#admitted(
      'PutSnapshotBlock',
      request,
      (observed) => this.inner.putSnapshotBlock(request, observed),
      options,
    );
  }

  override getSnapshotBlock(request: GetBlockRequest, options?: CallOptions): Promise<BlockAnswer> {
    return this.#admitted(
      'GetSnapshotBlock',
      request,
      (observed) => this.inner.getSnapshotBlock(request, observed),
      options,
    );
  }

  override close(): Promise<void> {
    for (const pass of this.#passes.values()) {
      pass.then(
        (joined) => joined.leave(),
        () => undefined,
      );
    }
    this.#passes.clear();
    this.#joined.clear();
    return super.close();
  }

  #pass(operation: BlockOperation, snapshotId: string): Promise<GatePass> {
    const known = this.#passes.get(operation);
    if (known !== undefined) return known;
    const pass = this.#join(operation, snapshotId);
    this.#passes.set(operation, pass);
    pass.then(
      // Unless it was closed meanwhile.
      (joined) => this.#passes.get(operation) === pass && this.#joined.set(operation, joined),
      () => undefined,
    );
    return pass;
  }

  async #admitted<T>(
    operation: BlockOperation,
    block: CarriedBlock,
    call: (options: CallOptions) => Promise<T>,
    options: CallOptions = {},
  ): Promise<T> {
    const { signal, attempt = 1 } = options;
    // Joining asks for credentials, which may take long.
    const { gate, line } =
      this.#joined.get(operation) ??
      (await abortable(this.#pass(operation, block.snapshotId), signal));
    const admission = await gate.enter(line, { bytes: BLOCK_SIZE, attempt, signal });
    const { observer, signal: eitherSignal } = admission;
    options.onAdmitted?.();
    const isProbe = line.isProbing;
    try {
      const answer = await call({ attempt, observer, signal: eitherSignal });
      // Only what started after a refusal proves it out of date: single blocks are refused after others were accepted.
      if (isProbe) line.isProbing = false;
      admission.leave('ok');
      return answer;
    } catch (error) {
      const { stalledMs } = admission;
      const isStalled = stalledMs !== undefined && signal?.aborted !== true;
      if (isInvisible(error)) line.isProbing = true;
      admission.leave(isStalled ? 'timeout' : outcomeOf(error, signal));
      throw isStalled ? stallError(operation, block, stalledMs) : error;
    }
  }
}

function stallError(
  operation: BlockOperation,
  { snapshotId, blockIndex }: CarriedBlock,
  stalledMs: number,
): Error {
  const seconds = (stalledMs / 1000).toFixed(1);
  const message = `${operation} of block ${blockIndex} was dropped: nothing moved for ${seconds} seconds`;
  return new TransportError(message, { snapshotId, blockIndex });
}

/** Whether the service does not know the snapshot, or not yet. */
function isInvisible(error: unknown): boolean {
  return error instanceof SnapshotError && error.retryClass === 'visibility';
}

/** What a failure says of the path, the quotas and the service. */
export function outcomeOf(error: unknown, signal: AbortSignal | undefined): Outcome {
  if (signal?.aborted === true) return 'cancelled';
  if (error instanceof ThrottleError) return `throttled-${error.scope}`;
  if (!(error instanceof SnapshotError) || !error.retryable) return 'fatal';
  // What was wrong with our own clock or credentials says nothing of path or service.
  if (error.retryClass === 'clock' || error.retryClass === 'credentials') return 'cancelled';
  if (error instanceof TransportError) return 'reset';
  // Refused as the caller's mistake, and yet worth another try: the body was cut or slowed down on its way.
  const isRefused = error instanceof ServiceError && (error.statusCode ?? 0) < 500;
  return isRefused && error.retryClass === 'transient' ? 'bad-read' : 'server-error';
}
