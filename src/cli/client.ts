import type { EBSClient } from '@aws-sdk/client-ebs';
import { makeClient } from '../index.ts';
import type { LocalEbs } from '../local.ts';
import { given } from './given.ts';

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
