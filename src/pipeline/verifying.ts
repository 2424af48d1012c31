import { IntegrityError } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import type {
  BlockAnswer,
  CallOptions,
  GetBlockRequest,
  Transport,
} from '../transport/transport.ts';
import { ForwardingTransport } from './forwarding-transport.ts';

/**
 * Checks every block that is read against the digest the service states (SDKs do not). A block that differs is asked
 * for again: the stored bytes may be fine and the way bad.
 */
export class VerifyingTransport extends ForwardingTransport {
  readonly #engine: Engine;

  constructor(inner: Transport, engine: Engine) {
    super(inner);
    this.#engine = engine;
  }

  override async getSnapshotBlock(
    request: GetBlockRequest,
    options?: CallOptions,
  ): Promise<BlockAnswer> {
    const answer = await this.inner.getSnapshotBlock(request, options);
    const [facts] = await this.#engine.inspect([answer.data]);
    if (facts === undefined || Buffer.compare(facts.digest, answer.digest) !== 0) {
      const { snapshotId, blockIndex } = request;
      throw new IntegrityError(
        `block ${blockIndex} of ${snapshotId} does not match the digest sent with it`,
        { snapshotId, blockIndex, retryClass: 'checksum' },
      );
    }
    return answer;
  }
}
