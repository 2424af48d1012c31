import { BLOCK_SIZE } from '../base/constants.ts';
import { ThrottleError } from '../base/errors.ts';
import type {
  BlockAnswer,
  CallOptions,
  GetBlockRequest,
  PutBlockRequest,
  Transport,
} from '../transport/transport.ts';
import { ForwardingTransport } from './forwarding-transport.ts';
import type { Gate } from './gate.ts';
import type { Outcome } from './window.ts';

/** Lets the calls that carry a block through the gate one by one; the few other calls pass freely. */
export class AdmittingTransport extends ForwardingTransport {
  readonly #gate: Gate;

  constructor(inner: Transport, gate: Gate) {
    super(inner);
    this.#gate = gate;
  }

  override putSnapshotBlock(request: PutBlockRequest, options?: CallOptions): Promise<void> {
    return this.#admitted(() => this.inner.putSnapshotBlock(request, options), options);
  }

  override getSnapshotBlock(request: GetBlockRequest, options?: CallOptions): Promise<BlockAnswer> {
    return this.#admitted(() => this.inner.getSnapshotBlock(request, options), options);
  }

  async #admitted<T>(call: () => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { signal, attempt = 1 } = options;
    const admission = await this.#gate.enter({ bytes: BLOCK_SIZE, isRetry: attempt > 1, signal });
    try {
      const answer = await call();
      admission.leave('ok');
      return answer;
    } catch (error) {
      admission.leave(outcomeOf(error, signal));
      throw error;
    }
  }
}

function outcomeOf(error: unknown, signal: AbortSignal | undefined): Outcome {
  if (signal?.aborted === true) return 'cancelled';
  return error instanceof ThrottleError ? 'throttled' : 'failed';
}
