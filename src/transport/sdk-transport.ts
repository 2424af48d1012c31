import type {
  $Command,
  EBSClient,
  EBSClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
  StartSnapshotRequest,
} from '@aws-sdk/client-ebs';
import { abortable } from '../base/abortable.ts';
import { BLOCK_SIZE, LIST_RESULTS_MAX } from '../base/constants.ts';
import { toBase64, toHex } from '../base/digest.ts';
import { abortError, TransportError } from '../base/errors.ts';
import { clientEbs } from './aws-sdk.ts';
import { endpointOf } from './client-settings.ts';
import { statusOf, toTypedError, type CallFacts, type SdkFailure } from './call-failure.ts';
import { CredentialRenewal } from './credential-renewal.ts';
import { isCredentialExpiry } from './error-answer.ts';
import {
  describeRequest,
  ec2Request,
  readDescription,
  sendEc2Query,
  type Endpoint,
} from './ec2-query.ts';
import { proxyFor, refusalOf, targetOf } from './proxy.ts';
import { published } from './request-channels.ts';
import type { CredentialsProvider } from './request-signer.ts';
import { letGoOfBody } from './unsent-body.ts';
import type {
  BlockAnswer,
  BlockPage,
  CallOptions,
  ChangedPage,
  CompleteSnapshotRequest,
  GetBlockRequest,
  ListBlocksRequest,
  ListChangedRequest,
  ListedBlock,
  PutBlockRequest,
  SnapshotDescription,
  SnapshotStatus,
  StartSnapshotAnswer,
  Transport,
} from './transport.ts';
import { checkStored, toChangedPage, type WireRequest } from './wire.ts';

type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = $Command<
  Input,
  Output,
  EBSClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;
/** Sends one command once; `payloadHash` is the hex SHA-256 of its body where that is known. */
type Send = <Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
  command: Command<Input, Output>,
  payloadHash?: string,
) => Promise<Output>;
interface HttpRequestLike extends Endpoint {
  headers: Record<string, string>;
}

/**
 * The calls over an SDK client, whose region, endpoint, credentials and request handler rule. Its own retries are
 * by-passed: one attempt is one request.
 */
export class SdkTransport implements Transport {
  readonly #client: EBSClient;
  readonly #ownsClient: boolean;
  readonly #renewal: CredentialRenewal;
  #endpoint: Endpoint | undefined;

  /** @param options.ownsClient - whether `close` destroys the client. */
  constructor(client: EBSClient, options: { readonly ownsClient: boolean }) {
    this.#client = client;
    this.#ownsClient = options.ownsClient;
    this.#renewal = new CredentialRenewal(client.config.credentials as CredentialsProvider);
  }

  async startSnapshot(
    request: StartSnapshotRequest,
    options: CallOptions = {},
  ): Promise<StartSnapshotAnswer> {
    const facts = { operation: 'StartSnapshot', signal: options.signal } as const;
    return this.#call(facts, options, async (send) => {
      const { $metadata, ...answer } = await send(new clientEbs.StartSnapshotCommand(request));
      if (answer.SnapshotId === undefined) {
        throw new TransportError('StartSnapshot answered without a SnapshotId', {
          requestId: $metadata.requestId,
        });
      }
      return { ...answer, SnapshotId: answer.SnapshotId };
    });
  }

  async putSnapshotBlock(request: PutBlockRequest, options: CallOptions = {}): Promise<void> {
    const { snapshotId, blockIndex, data, digest } = request;
    const command = new clientEbs.PutSnapshotBlockCommand({
      SnapshotId: snapshotId,
      BlockIndex: blockIndex,
      BlockData: data,
      DataLength: BLOCK_SIZE,
      Checksum: toBase64(digest),
      ChecksumAlgorithm: 'SHA256',
    });
    const facts: CallFacts = {
      operation: 'PutSnapshotBlock',
      snapshotId,
      blockIndex,
      signal: options.signal,
    };
    await this.#call(facts, options, async (send) => {
      const { Checksum, $metadata } = await send(command, toHex(digest));
      checkStored(request, Checksum, $metadata.requestId);
    });
  }

  async completeSnapshot(
    request: CompleteSnapshotRequest,
    options: CallOptions = {},
  ): Promise<SnapshotStatus> {
    const { snapshotId, changedBlocksCount, aggregateDigest } = request;
    const command = new clientEbs.CompleteSnapshotCommand({
      SnapshotId: snapshotId,
      ChangedBlocksCount: changedBlocksCount,
      Checksum: toBase64(aggregateDigest),
      ChecksumAlgorithm: 'SHA256',
      ChecksumAggregationMethod: 'LINEAR',
    });
    const facts: CallFacts = {
      operation: 'CompleteSnapshot',
      snapshotId,
      signal: options.signal,
    };
    const answer = await this.#call(facts, options, (send) => send(command));
    return answer.Status ?? 'pending';
  }

  async listSnapshotBlocks(
    request: ListBlocksRequest,
    options: CallOptions = {},
  ): Promise<BlockPage> {
    const { snapshotId } = request;
    const command = new clientEbs.ListSnapshotBlocksCommand({
      SnapshotId: snapshotId,
      NextToken: request.pageToken,
      StartingBlockIndex: request.startingBlockIndex,
      MaxResults: LIST_RESULTS_MAX,
    });
    const facts: CallFacts = {
      operation: 'ListSnapshotBlocks',
      snapshotId,
      signal: options.signal,
    };
    const answer = await this.#call(facts, options, (send) => send(command));
    return {
      volumeSizeGiB: answer.VolumeSize ?? 0,
      blocks: (answer.Blocks ?? []).map(({ BlockIndex = 0, BlockToken = '' }): ListedBlock => {
        return { blockIndex: BlockIndex, blockToken: BlockToken };
      }),
      ...(answer.NextToken ? { nextPageToken: answer.NextToken } : {}),
    };
  }

  async listChangedBlocks(
    request: ListChangedRequest,
    options: CallOptions = {},
  ): Promise<ChangedPage> {
    const { firstSnapshotId, secondSnapshotId } = request;
    const command = new clientEbs.ListChangedBlocksCommand({
      FirstSnapshotId: firstSnapshotId,
      SecondSnapshotId: secondSnapshotId,
      NextToken: request.pageToken,
      StartingBlockIndex: request.startingBlockIndex,
      MaxResults: LIST_RESULTS_MAX,
    });
    const facts: CallFacts = {
      operation: 'ListChangedBlocks',
      snapshotId: secondSnapshotId,
      signal: options.signal,
    };
    const answer = await this.#call(facts, options, (send) => send(command));
    return toChangedPage(answer.ChangedBlocks ?? [], answer.NextToken);
  }

  async getSnapshotBlock(
    request: GetBlockRequest,
    options: CallOptions = {},
  ): Promise<BlockAnswer> {
    const { snapshotId, blockIndex } = request;
    const command = new clientEbs.GetSnapshotBlockCommand({
      SnapshotId: snapshotId,
      BlockIndex: blockIndex,
      BlockToken: request.blockToken,
    });
    const facts: CallFacts = {
      operation: 'GetSnapshotBlock',
      snapshotId,
      blockIndex,
      signal: options.signal,
    };
    return this.#call(facts, options, async (send) => {
      const answer = await send(command);
      const data = (await answer.BlockData?.transformToByteArray()) ?? new Uint8Array(0);
      if (data.byteLength !== BLOCK_SIZE) {
        throw new TransportError(
          `GetSnapshotBlock of block ${blockIndex} brought ${data.byteLength} of ${BLOCK_SIZE} bytes`,
          { snapshotId, blockIndex, requestId: answer.$metadata.requestId },
        );
      }
      // The SDK reads into memory of its own alone.
      request.into?.set(data);
      return { data: request.into ?? data, digest: Buffer.from(answer.Checksum ?? '', 'base64') };
    });
  }

  async deleteSnapshot(
    { snapshotId }: { readonly snapshotId: string },
    options: CallOptions = {},
  ): Promise<void> {
    const facts: CallFacts = { operation: 'DeleteSnapshot', snapshotId, signal: options.signal };
    const request = ec2Request({ Action: 'DeleteSnapshot', SnapshotId: snapshotId });
    await this.#askEc2(facts, request, options);
  }

  async describeSnapshot(
    { snapshotId }: { readonly snapshotId: string },
    options: CallOptions = {},
  ): Promise<SnapshotDescription> {
    const facts: CallFacts = { operation: 'DescribeSnapshots', snapshotId, signal: options.signal };
    const request = describeRequest(snapshotId);
    return readDescription(await this.#askEc2(facts, request, options), snapshotId);
  }

  close(): Promise<void> {
    if (this.#ownsClient) this.#client.destroy();
    return Promise.resolve();
  }

  async #askEc2(facts: CallFacts, request: WireRequest, options: CallOptions): Promise<unknown> {
    const { signal } = options;
    const { config } = this.#client;
    return this.#call(facts, options, async () => {
      const endpoint = (this.#endpoint ??= addressOf(await endpointOf(config)));
      return sendEc2Query({ config, endpoint, request, signal });
    });
  }

  #call<T>(
    facts: CallFacts,
    { attempt = 1, observer }: CallOptions,
    body: (send: Send) => Promise<T>,
  ): Promise<T> {
    const { signal, ...subject } = facts;
    return published({ ...subject, attempt, transport: 'sdk' }, async () => {
      if (signal?.aborted === true) throw abortError(signal);
      // Handlers may listen for longer than the call lasts, and the caller's signal may be another call's by then.
      const abort = new AbortController();
      const onAbort = (): void => abort.abort(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      const send: Send = (command, payloadHash) => {
        this.#prepare(command, { payloadHash, observer });
        return this.#client.send(command, { abortSignal: abort.signal });
      };
      const renewals = this.#renewal.count;
      try {
        return await body(send);
      } catch (error) {
        const failure = await this.#renewIfExpired(error, { renewals, signal });
        throw toTypedError(this.#proxyRefusal(failure) ?? failure, facts);
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    });
  }

  /**
   * The SDK renews credentials that expire by its own clock, not those that the service calls expired. Returns what the
   * attempt has failed with: the refusal, or the renewal's failure.
   */
  async #renewIfExpired(
    error: unknown,
    { renewals, signal }: { renewals: number; signal: AbortSignal | undefined },
  ): Promise<unknown> {
    if (!isCredentialExpiry((error as { name?: string }).name ?? '')) return error;
    return abortable(this.#renewal.since(renewals), signal).then(
      () => error,
      (failure: unknown) => failure,
    );
  }

  /** A proxy that is handed requests without a tunnel answers like a service, but with a status of its own. */
  #proxyRefusal(failure: unknown): Error | undefined {
    if (statusOf(failure as SdkFailure) !== 407 || this.#endpoint === undefined) return undefined;
    const proxy = proxyFor(targetOf(this.#endpoint));
    return proxy === undefined ? undefined : refusalOf(proxy, 407);
  }

  /**
   * Takes the SDK's retry layer out of one command, notes its endpoint, states the payload hash known already, and keeps
   * the call from settling while its body is still being sent.
   */
  #prepare<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    { middlewareStack: stack }: Command<Input, Output>,
    { payloadHash, observer }: { payloadHash: string | undefined } & Pick<CallOptions, 'observer'>,
  ): void {
    stack.add((next) => (args) => next(args), {
      name: 'retryMiddleware',
      step: 'finalizeRequest',
      priority: 'high',
      override: true,
    });
    stack.add(
      (next) => (args) => {
        const request = args.request as HttpRequestLike;
        this.#endpoint = { ...request };
        if (payloadHash !== undefined) request.headers['x-amz-content-sha256'] = payloadHash;
        return next(args);
      },
      { name: 'payloadHashMiddleware', step: 'build', priority: 'low' },
    );
    stack.add(letGoOfBody, { name: 'unsentBodyMiddleware', step: 'deserialize', priority: 'high' });
    stack.add(
      (next) => async (args) => {
        const result = await next(args);
        observer?.onAnswer?.();
        return result;
      },
      { name: 'observerMiddleware', step: 'deserialize', priority: 'low' },
    );
  }
}

function addressOf({ protocol, hostname, port }: URL): Endpoint {
  return { protocol, hostname, ...(port === '' ? {} : { port: Number(port) }) };
}
