import type { EBSClient, StartSnapshotRequest } from '@aws-sdk/client-ebs';
import type { SendQueue } from './body-progress.ts';
import { handlerAgent, isNodeHandler } from './client-agents.ts';
import { HttpTransport } from './http-transport.ts';
import { SdkTransport } from './sdk-transport.ts';
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

/** What a client is chosen by. */
export interface ChooseOptions {
  /** Default 'lean', where the client lets it be. */
  readonly choice: 'lean' | 'sdk' | undefined;
  /** Whether closing the transport destroys the client. */
  readonly ownsClient: boolean;
  /** As the lean transport takes it. */
  readonly sendQueue?: SendQueue | undefined;
}

/**
 * Returns the transport that was asked for. A client that does more than the lean transport would do, as
 * {@link leanObstacle} finds out with the first call, is used as it is; that is announced if 'lean' was asked for by name.
 */
export function chooseTransport(client: EBSClient, options: ChooseOptions): Transport {
  const { choice, ownsClient } = options;
  if (choice === 'sdk') return new SdkTransport(client, { ownsClient });
  return new LeanUnlessObstacle(client, options);
}

/**
 * What keeps the lean transport from doing just what the client would, in words, or undefined. It sends by itself, so
 * whatever the caller has put into the client's own way of sending would be lost.
 */
export async function leanObstacle(client: EBSClient): Promise<string | undefined> {
  // The method is the SDK's base class's; mocks put theirs on the client or on its class.
  const classOfClient = Object.getPrototypeOf(client) as object;
  if (Object.hasOwn(client, 'send') || Object.hasOwn(classOfClient, 'send')) {
    return 'its send method has been replaced';
  }
  const { requestHandler, signer } = client.config;
  if (!isNodeHandler(requestHandler)) return 'it has a request handler of its own';
  const agents = [
    await handlerAgent(requestHandler, true),
    await handlerAgent(requestHandler, false),
  ];
  if (agents.includes(undefined)) return 'it has an agent of its own';
  if (!(await isOwnSigner(client, signer))) return 'it has a signer of its own';
  const names = client.middlewareStack.identify().join();
  if (names !== middlewareOf(client)) return 'it has middleware of its own';
  return undefined;
}

/** The signer that the SDK makes itself takes the client's credentials; one that was handed in has others. */
async function isOwnSigner(
  { config }: EBSClient,
  signer: EBSClient['config']['signer'],
): Promise<boolean> {
  const { constructor, credentialProvider } = (await signer()) as { credentialProvider?: unknown };
  return constructor.name === 'SignatureV4' && credentialProvider === config.credentials;
}

/** The names of the middleware that every client of this class has. */
function middlewareOf(client: EBSClient): string {
  const Client = client.constructor as typeof EBSClient;
  const plain = new Client({
    region: 'us-east-1',
    credentials: { accessKeyId: '', secretAccessKey: '' },
  });
  const names = plain.middlewareStack.identify().join();
  plain.destroy();
  return names;
}

/** Finds out with the first call whether the lean transport may be used. */
class LeanUnlessObstacle implements Transport {
  readonly #client: EBSClient;
  readonly #options: ChooseOptions;
  #chosen: Promise<Transport> | undefined;
  #transport: Transport | undefined;

  constructor(client: EBSClient, options: ChooseOptions) {
    this.#client = client;
    this.#options = options;
  }

  startSnapshot(
    request: StartSnapshotRequest,
    options?: CallOptions,
  ): Promise<StartSnapshotAnswer> {
    return this.#call((transport) => transport.startSnapshot(request, options));
  }

  putSnapshotBlock(request: PutBlockRequest, options?: CallOptions): Promise<void> {
    return this.#call((transport) => transport.putSnapshotBlock(request, options));
  }

  completeSnapshot(
    request: CompleteSnapshotRequest,
    options?: CallOptions,
  ): Promise<SnapshotStatus> {
    return this.#call((transport) => transport.completeSnapshot(request, options));
  }

  listSnapshotBlocks(request: ListBlocksRequest, options?: CallOptions): Promise<BlockPage> {
    return this.#call((transport) => transport.listSnapshotBlocks(request, options));
  }

  listChangedBlocks(request: ListChangedRequest, options?: CallOptions): Promise<ChangedPage> {
    return this.#call((transport) => transport.listChangedBlocks(request, options));
  }

  getSnapshotBlock(request: GetBlockRequest, options?: CallOptions): Promise<BlockAnswer> {
    return this.#call((transport) => transport.getSnapshotBlock(request, options));
  }

  deleteSnapshot(request: { readonly snapshotId: string }, options?: CallOptions): Promise<void> {
    return this.#call((transport) => transport.deleteSnapshot(request, options));
  }

  describeSnapshot(
    request: { readonly snapshotId: string },
    options?: CallOptions,
  ): Promise<SnapshotDescription> {
    return this.#call((transport) => transport.describeSnapshot(request, options));
  }

  async close(): Promise<void> {
    if (this.#chosen === undefined && this.#options.ownsClient) this.#client.destroy();
    await (await this.#chosen)?.close();
  }

  /** Once the choice is made, blocks do not wait for it. */
  #call<T>(call: (transport: Transport) => Promise<T>): Promise<T> {
    if (this.#transport !== undefined) return call(this.#transport);
    this.#chosen ??= this.#choose().then((transport) => (this.#transport = transport));
    return this.#chosen.then(call);
  }

  async #choose(): Promise<Transport> {
    const { choice, ownsClient, sendQueue } = this.#options;
    // A signer that cannot be made, for want of a region, is a failure that either transport reports.
    const obstacle = await leanObstacle(this.#client).catch(() => undefined);
    if (obstacle === undefined) return new HttpTransport(this.#client, { ownsClient, sendQueue });
    if (choice === 'lean') {
      process.emitWarning(`The EBSClient is used with the SDK transport: ${obstacle}.`);
    }
    return new SdkTransport(this.#client, { ownsClient });
  }
}
