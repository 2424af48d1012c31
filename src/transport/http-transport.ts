import type { EBSClient, StartSnapshotRequest } from '@aws-sdk/client-ebs';
import { performance } from 'node:perf_hooks';
import { abortError } from '../base/errors.ts';
import { abortable } from '../base/abortable.ts';
import { toTypedError, type CallFacts } from './call-failure.ts';
import { toServiceError } from './classify.ts';
import { resolveSettings, type ClientSettings } from './client-settings.ts';
import type { PoolOptions } from './connection-pool.ts';
import {
  describeRequest,
  ec2Hostname,
  ec2Request,
  readDescription,
  readEc2Answer,
} from './ec2-query.ts';
import { proxyFor } from './proxy.ts';
import { published } from './request-channels.ts';
import type { HttpAnswer } from './response-parser.ts';
import { ServiceChannel, type ServiceAnswer } from './service-channel.ts';
import type {
  BlockAnswer,
  BlockPage,
  CallOptions,
  ChangedPage,
  CompleteSnapshotRequest,
  GetBlockRequest,
  ListBlocksRequest,
  ListChangedRequest,
  PutBlockRequest,
  SnapshotDescription,
  SnapshotStatus,
  StartSnapshotAnswer,
  Transport,
} from './transport.ts';
import {
  completeRequest,
  getRequest,
  listChangedRequest,
  listRequest,
  putRequest,
  readBlock,
  readChangedPage,
  readPage,
  readStarted,
  readStored,
  readStatus,
  requestIdOf,
  startRequest,
  type WireError,
  type WireRequest,
} from './wire.ts';

/** The ways to the services, each once it has been used. */
interface Channels {
  ebs?: ServiceChannel;
  ec2?: ServiceChannel;
}

/**
 * The calls over sockets of our own: signed with the digest that a block has already, written without a copy, and
 * answered without a stream. Region, endpoint, credentials, clock and TLS settings are an SDK client's. A connection
 * must come up in 15 seconds and is given up after 60 in which nothing moves; other time limits are the caller's,
 * through the signal.
 */
export class HttpTransport implements Transport {
  readonly #client: EBSClient;
  readonly #ownsClient: boolean;
  readonly #poolOptions: PoolOptions;
  readonly #channels: Channels = {};
  #isClosed = false;

  /**
   * @param options.ownsClient - whether `close` destroys the client.
   * @param options.nowMs - Default: the machine's clock.
   */
  constructor(client: EBSClient, options: { readonly ownsClient: boolean } & Partial<PoolOptions>) {
    this.#client = client;
    this.#ownsClient = options.ownsClient;
    this.#poolOptions = { ...options, nowMs: options.nowMs ?? (() => performance.now()) };
  }

  startSnapshot(
    request: StartSnapshotRequest,
    options: CallOptions = {},
  ): Promise<StartSnapshotAnswer> {
    const facts = { operation: 'StartSnapshot', signal: options.signal } as const;
    return this.#call(facts, options, startRequest(request), readStarted);
  }

  putSnapshotBlock(request: PutBlockRequest, options: CallOptions = {}): Promise<void> {
    const { snapshotId, blockIndex } = request;
    const { signal } = options;
    const facts = { operation: 'PutSnapshotBlock', snapshotId, blockIndex, signal } as const;
    return this.#call(facts, options, putRequest(request), (answer) => readStored(request, answer));
  }

  completeSnapshot(
    request: CompleteSnapshotRequest,
    options: CallOptions = {},
  ): Promise<SnapshotStatus> {
    const { snapshotId } = request;
    const facts = { operation: 'CompleteSnapshot', snapshotId, signal: options.signal } as const;
    return this.#call(facts, options, completeRequest(request), readStatus);
  }

  listSnapshotBlocks(request: ListBlocksRequest, options: CallOptions = {}): Promise<BlockPage> {
    const { snapshotId } = request;
    const facts = { operation: 'ListSnapshotBlocks', snapshotId, signal: options.signal } as const;
    return this.#call(facts, options, listRequest(request), readPage);
  }

  listChangedBlocks(request: ListChangedRequest, options: CallOptions = {}): Promise<ChangedPage> {
    const { secondSnapshotId: snapshotId } = request;
    const facts = { operation: 'ListChangedBlocks', snapshotId, signal: options.signal } as const;
    return this.#call(facts, options, listChangedRequest(request), readChangedPage);
  }

  getSnapshotBlock(request: GetBlockRequest, options: CallOptions = {}): Promise<BlockAnswer> {
    const { snapshotId, blockIndex } = request;
    const { signal } = options;
    const facts = { operation: 'GetSnapshotBlock', snapshotId, blockIndex, signal } as const;
    return this.#call(facts, options, getRequest(request), (answer) => readBlock(request, answer));
  }

  deleteSnapshot(
    { snapshotId }: { readonly snapshotId: string },
    options: CallOptions = {},
  ): Promise<void> {
    const facts = { operation: 'DeleteSnapshot', snapshotId, signal: options.signal } as const;
    const request = ec2Request({ Action: 'DeleteSnapshot', SnapshotId: snapshotId });
    return this.#attempt(facts, options, async () => {
      const { answer } = await (await this.#channel('ec2', facts.signal)).send(request, options);
      await readEc2Answer(answer.statusCode, answer.body.toString('utf8'));
    });
  }

  describeSnapshot(
    { snapshotId }: { readonly snapshotId: string },
    options: CallOptions = {},
  ): Promise<SnapshotDescription> {
    const facts = { operation: 'DescribeSnapshots', snapshotId, signal: options.signal } as const;
    const request = describeRequest(snapshotId);
    return this.#attempt(facts, options, async () => {
      const { answer } = await (await this.#channel('ec2', facts.signal)).send(request, options);
      return readDescription(
        await readEc2Answer(answer.statusCode, answer.body.toString('utf8')),
        snapshotId,
      );
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#ownsClient) this.#client.destroy();
    await Promise.all([this.#channels.ebs?.close(), this.#channels.ec2?.close()]);
  }

  #call<T>(
    facts: CallFacts,
    options: CallOptions,
    request: WireRequest,
    read: (answer: HttpAnswer) => T,
  ): Promise<T> {
    return this.#attempt(facts, options, async () => {
      const channel = this.#channels.ebs ?? (await this.#channel('ebs', facts.signal));
      const received = await channel.send(request, options);
      if (received.refusal !== undefined) throw toRefusal(received, received.refusal, facts);
      return read(received.answer);
    });
  }

  #attempt<T>(facts: CallFacts, options: CallOptions, once: () => Promise<T>): Promise<T> {
    const { signal, ...subject } = facts;
    const message = { ...subject, attempt: options.attempt ?? 1, transport: 'lean' } as const;
    return published(message, () => {
      if (signal?.aborted === true) return Promise.reject(abortError(signal));
      return once().catch((error: unknown) => {
        throw toTypedError(error, facts);
      });
    });
  }

  /** Settings are resolved with the first call: until then a client may lack what it needs. */
  async #channel(
    service: keyof Channels,
    signal: AbortSignal | undefined,
  ): Promise<ServiceChannel> {
    const open = this.#channels[service];
    if (open !== undefined) return open;
    const settings = await abortable(resolveSettings(this.#client), signal);
    const channel = new ServiceChannel(
      service === 'ebs' ? settings : ec2Settings(settings),
      this.#poolOptions,
    );
    // Calls that came together resolved the same settings; the first to be ready is used by all.
    this.#channels[service] ??= channel;
    if (this.#isClosed) void channel.close();
    return this.#channels[service];
  }
}

function toRefusal(
  { answer, isClockCorrected }: ServiceAnswer,
  refusal: WireError,
  { operation, snapshotId, blockIndex }: CallFacts,
): Error {
  return toServiceError({
    operation,
    statusCode: answer.statusCode,
    ...refusal,
    requestId: requestIdOf(answer),
    snapshotId,
    blockIndex,
    isClockCorrected,
  });
}

/** EC2 beside EBS: another host, unless one service answers for both, and another name in the signature. */
function ec2Settings(ebs: ClientSettings): ClientSettings {
  const target = { ...ebs.address, host: ec2Hostname(ebs.address.host) };
  return {
    ...ebs,
    // NO_PROXY may have one host and not the other.
    address: { ...target, proxy: proxyFor(target) },
    host: ec2Hostname(ebs.host),
    pathPrefix: '',
    service: 'ec2',
  };
}
