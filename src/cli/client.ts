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
  /** Set with `--local`. */
  readonly service?: LocalEbs;
  close(): Promise<void>;
}

/**
 * Makes the client that the flags and the environment describe.
 * @param options.isLocalNarrow - whether a local service takes requests of `--region` alone. Default true.
 */
export async function openClient(
  flags: ConnectionFlags,
  env: NodeJS.ProcessEnv,
  { isLocalNarrow = true }: { readonly isLocalNarrow?: boolean } = {},
): Promise<ClientHandle> {
  if (flags.local !== undefined) return openLocalClient(flags.local, flags.region, isLocalNarrow);
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
export function clientOf(service: LocalEbs, region = service.region): EBSClient {
  const { endpoint, credentials } = service;
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
  isNarrow: boolean,
): Promise<ClientHandle> {
  const { LocalEbs } = await import('../local.ts');
  const service = await LocalEbs.start({ directory, ...(isNarrow ? given({ region }) : {}) });
  const client = clientOf(service, region);
  return {
    client,
    service,
    close: async () => {
      client.destroy();
      await service.close();
    },
  };
}
