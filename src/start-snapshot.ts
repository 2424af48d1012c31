import { randomUUID } from 'node:crypto';
import { connect } from './connection.ts';
import { loadEngine } from './engine/load-engine.ts';
import { limitsOf } from './limits.ts';
import type { StartOptions } from './options.ts';
import { validateStartOptions } from './options-validation.ts';
import type { StartSnapshotAnswer } from './transport/transport.ts';

/**
 * Starts a snapshot for several processes to write: each by `uploadSnapshot` with its id and a range, until
 * `completeSnapshot` ends it. Until then it costs nothing but what is in it, and the service gives it up after
 * `params.Timeout` minutes without a block.
 * @returns the service's answer; `SnapshotId` is what the parts need.
 * @throws TypeError or RangeError for wrong options; ServiceError, TransportError; AbortError.
 */
export async function startSnapshot(options: StartOptions): Promise<StartSnapshotAnswer> {
  validateStartOptions(options);
  const { client, transport: choice, signal, params } = options;
  const engine = loadEngine({ engine: 'auto' });
  const { transport } = connect({
    client,
    transport: choice,
    limits: limitsOf({}),
    engine,
    on: {},
  });
  try {
    const request = { ...params, ClientToken: params.ClientToken ?? randomUUID() };
    return await transport.startSnapshot(request, { signal });
  } finally {
    await transport.close();
  }
}
