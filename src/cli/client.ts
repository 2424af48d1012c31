import type * as ClientEbs from '@aws-sdk/client-ebs';
import type { EBSClient, EBSClientConfig } from '@aws-sdk/client-ebs';
import { createRequire } from 'node:module';
import type { LocalEbs } from '../local.ts';
import { given } from './given.ts';

// Loaded as the library loads it: imported, Node would parse it twice.
const clientEbs = createRequire(import.meta.url)('@aws-sdk/client-ebs') as typeof ClientEbs;

/** Sockets that a client may hold: more than the library ever has requests in flight. */
const SOCKETS_MAX = 256;
/** Milliseconds for a connection to come up. */
const CONNECT_TIMEOUT_MS = 15_000;
/** Milliseconds without a byte in either direction after which a socket is given up. */
const IDLE_TIMEOUT_MS = 60_000;

/** The flags that say whom to talk to. */
export interface ConnectionFlags {
  readonly region?: string;
  readonly profile?: string;
  readonly endpointUrl?: string;
  readonly local?: string;
}

/** A client, and the local service behind it where `--local` asked for one. */
export interface ClientHandle {
  readonly client: EBSClient;
  close(): Promise<void>;
}

/** Makes the client that the flags and the environment describe. */
export async function openClient(
  flags: ConnectionFlags,
  env: NodeJS.ProcessEnv,
): Promise<ClientHandle> {
  if (flags.local !== undefined) return openLocalClient(flags.local, flags.region);
  // The SDK reads AWS_REGION and the profile by itself, and not AWS_DEFAULT_REGION, which the AWS CLI reads.
  const region = flags.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  const client = makeClient(given({ region, profile: flags.profile, endpoint: flags.endpointUrl }));
  return {
    client,
    close: () => {
      client.destroy();
      return Promise.resolve();
    },
  };
}

/** Makes a client of a local service that runs already. */
export function clientOf(service: LocalEbs): EBSClient {
  const { endpoint, region, credentials } = service;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return makeClient({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey, ...given({ sessionToken }) },
  });
}

async function openLocalClient(
  directory: string,
  region: string | undefined,
): Promise<ClientHandle> {
  const { LocalEbs } = await import('../local.ts');
  const service = await LocalEbs.start({ directory, ...given({ region }) });
  const client = clientOf(service);
  return {
    client,
    close: async () => {
      client.destroy();
      await service.close();
    },
  };
}

function makeClient(config: EBSClientConfig): EBSClient {
  const agent = { keepAlive: true, maxSockets: SOCKETS_MAX };
  return new clientEbs.EBSClient({
    ...config,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
    },
  });
}
