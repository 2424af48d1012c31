import {
  CompleteSnapshotCommand,
  EBSClient,
  type $Command,
  type EBSClientResolvedConfig,
  GetSnapshotBlockCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  type ServiceInputTypes,
  type ServiceOutputTypes,
  StartSnapshotCommand,
  type StartSnapshotRequest,
} from '@aws-sdk/client-ebs';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { BLOCK_SIZE, LIST_RESULTS_MAX } from '../base/constants.ts';
import { toBase64, toHex } from '../base/digest.ts';
import { abortError, ServiceError, SnapshotError, TransportError } from '../base/errors.ts';
import { toServiceError } from './classify.ts';
import { sendEc2Query, type Endpoint } from './ec2-query.ts';
import type {
  BlockAnswer,
  BlockPage,
  CallOptions,
  CompleteSnapshotRequest,
  GetBlockRequest,
  ListBlocksRequest,
  ListedBlock,
  Operation,
  PutBlockRequest,
  SnapshotStatus,
  StartSnapshotAnswer,
  Transport,
} from './transport.ts';

/** Milliseconds for a connection to come up. */
const CONNECT_TIMEOUT_MS = 15_000;

/** Milliseconds without a byte in either direction after which a socket is given up. */
const IDLE_TIMEOUT_MS = 60_000;

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
/** What an error says about the call that failed. */
interface CallFacts {
  readonly operation: Operation;
  readonly snapshotId?: string;
  readonly blockIndex?: number;
  readonly signal: AbortSignal | undefined;
}

/** Makes a client from the environment, with as many kept-alive sockets as requests may be in flight. */
export function makeClient(maxSockets: number): EBSClient {
  const agent = { keepAlive: true, maxSockets };
  return new EBSClient({
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
    },
  });
}

/**
 * The calls over an SDK client, whose region, endpoint, credentials and request handler rule. Its own retries are
 * by-passed: one attempt is one request.
 */
export class SdkTransport implements Transport {
  readonly #client: EBSClient;
  readonly #ownsClient: boolean;
  #endpoint: Endpoint | undefined;

  /** @param options.ownsClient - whether `close` destroys the client. */
  constructor(client: EBSClient, options: { readonly ownsClient: boolean }) {
    this.#client = client;
    this.#ownsClient = options.ownsClient;
  }

  async startSnapshot(
    request: StartSnapshotRequest,
    options: CallOptions = {},
  ): Promise<StartSnapshotAnswer> {
    const facts = { operation: 'StartSnapshot', signal: options.signal } as const;
    return this.#call(facts, async (send) => {
      const { $metadata, ...answer } = await send(new StartSnapshotCommand(request));
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
    const command = new PutSnapshotBlockCommand({
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
    await this.#call(facts, (send) => send(command, toHex(digest)));
  }

  async completeSnapshot(
    request: CompleteSnapshotRequest,
    options: CallOptions = {},
  ): Promise<SnapshotStatus> {
    const { snapshotId, changedBlocksCount, aggregateDigest } = request;
    const command = new CompleteSnapshotCommand({
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
    const answer = await this.#call(facts, (send) => send(command));
    return answer.Status ?? 'pending';
  }

  async listSnapshotBlocks(
    request: ListBlocksRequest,
    options: CallOptions = {},
  ): Promise<BlockPage> {
    const { snapshotId } = request;
    const command = new ListSnapshotBlocksCommand({
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
    const answer = await this.#call(facts, (send) => send(command));
    return {
      volumeSizeGiB: answer.VolumeSize ?? 0,
      blocks: (answer.Blocks ?? []).map(({ BlockIndex = 0, BlockToken = '' }): ListedBlock => {
        return { blockIndex: BlockIndex, blockToken: BlockToken };
      }),
      ...(answer.NextToken ? { nextPageToken: answer.NextToken } : {}),
    };
  }

  async getSnapshotBlock(
    request: GetBlockRequest,
    options: CallOptions = {},
  ): Promise<BlockAnswer> {
    const { snapshotId, blockIndex } = request;
    const command = new GetSnapshotBlockCommand({
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
    return this.#call(facts, async (send) => {
      const answer = await send(command);
      const data = (await answer.BlockData?.transformToByteArray()) ?? new Uint8Array(0);
      if (data.byteLength !== BLOCK_SIZE) {
        throw new TransportError(
          `GetSnapshotBlock of block ${blockIndex} brought ${data.byteLength} of ${BLOCK_SIZE} bytes`,
          { snapshotId, blockIndex, requestId: answer.$metadata.requestId },
        );
      }
      return { data, digest: Buffer.from(answer.Checksum ?? '', 'base64') };
    });
  }

  async deleteSnapshot(
    request: { readonly snapshotId: string },
    options: CallOptions = {},
  ): Promise<void> {
    const { snapshotId } = request;
    const facts: CallFacts = { operation: 'DeleteSnapshot', snapshotId, signal: options.signal };
    const endpoint = this.#endpoint;
    if (endpoint === undefined) {
      throw new TransportError('DeleteSnapshot needs an endpoint that an EBS call has used before');
    }
    const parameters = { Action: 'DeleteSnapshot', SnapshotId: snapshotId };
    await this.#call(facts, () =>
      sendEc2Query({ config: this.#client.config, endpoint, parameters, signal: options.signal }),
    );
  }

  close(): void {
    if (this.#ownsClient) this.#client.destroy();
  }

  async #call<T>(facts: CallFacts, body: (send: Send) => Promise<T>): Promise<T> {
    const { signal } = facts;
    if (signal?.aborted === true) throw abortError(signal);
    const send: Send = async (command, payloadHash) => {
      this.#prepare(command, payloadHash);
      const requestOf = watchRequest(command);
      try {
        return await this.#client.send(
          command,
          signal === undefined ? {} : { abortSignal: signal },
        );
      } finally {
        endUnsentBody(requestOf());
      }
    };
    try {
      return await body(send);
    } catch (error) {
      throw toTypedError(error, facts);
    }
  }

  /** Takes the SDK's retry layer out of one command, notes its endpoint, and states the payload hash known already. */
  #prepare<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    { middlewareStack: stack }: Command<Input, Output>,
    payloadHash: string | undefined,
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
  }
}

/** Notes the request that an answer belongs to. Handlers that are not Node's leave none. */
function watchRequest<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>({
  middlewareStack: stack,
}: Command<Input, Output>): () => ClientRequest | undefined {
  let request: ClientRequest | undefined;
  stack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { body } = result.response as { readonly body?: Partial<IncomingMessage> };
      request = (body as { readonly req?: ClientRequest } | undefined)?.req;
      return result;
    },
    { name: 'requestWatchMiddleware', step: 'deserialize', priority: 'low' },
  );
  return () => request;
}

/** An answer can come before the body was sent to its end. Its bytes may then change, so nothing may send the rest. */
function endUnsentBody(request: ClientRequest | undefined): void {
  if (request?.writableFinished === false) request.destroy();
}

/** What the SDK throws, in any of its shapes: an answer of the service, a failed socket, an abort, a missing setting. */
interface SdkFailure {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly Reason?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly statusCode?: number };
}

function toTypedError(error: unknown, facts: CallFacts): Error {
  const { operation, snapshotId, blockIndex, signal } = facts;
  if (error instanceof SnapshotError) return error;
  const failure = error as SdkFailure;
  if (signal?.aborted === true || failure.name === 'AbortError') return abortError(signal);
  const statusCode = failure.$metadata?.httpStatusCode ?? failure.$response?.statusCode;
  const text = failure.message ?? String(error);
  if (statusCode !== undefined && statusCode >= 300) {
    return toServiceError({
      operation,
      statusCode,
      serviceCode: failure.name ?? 'UnknownError',
      reason: failure.Reason,
      serviceMessage: text,
      requestId: failure.$metadata?.requestId,
      snapshotId,
      blockIndex,
      cause: error,
    });
  }
  if (isConfiguration(failure)) {
    return new ServiceError('ERR_EBS_ACCESS', `${operation} could not be sent: ${text}`, {
      snapshotId,
      cause: error,
    });
  }
  const block = blockIndex === undefined ? '' : ` of block ${blockIndex}`;
  const code = failure.code === undefined ? '' : ` (${failure.code})`;
  return new TransportError(`${operation}${block} got no answer${code}: ${text}`, {
    snapshotId,
    blockIndex,
    cause: error,
  });
}

/** No credentials, no region, or an endpoint that cannot be built: trying again cannot help. */
function isConfiguration({ name = '', message = '' }: SdkFailure): boolean {
  return (
    /^(CredentialsProviderError|TokenProviderError|EndpointError)$/.test(name) ||
    /Region is missing|Could not load credentials|Resolved credential object is not valid/.test(
      message,
    )
  );
}
