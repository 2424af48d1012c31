import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import {
  DEFAULT_LOCAL_CREDENTIALS,
  LocalEbs,
  type HostilitySettings,
  type LocalCredentials,
} from '../../local.ts';
import type { FlagValues, SERVE_FLAGS } from '../command-table.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { given } from '../given.ts';
import { keepFreedMemory } from '../keep-freed-memory.ts';
import { makeTemporaryFolder } from '../temporary-folder.ts';

type Flags = FlagValues<typeof SERVE_FLAGS>;

/**
 * How far V8's heap may grow between two full collections, in percent of what is alive. Node reads each block in pieces that
 * V8 counts as growth until it collects the young ones, 32 MiB later; left to itself it marks the whole heap some 22 times
 * for each GiB put, which was half of the service's processor time.
 */
const HEAP_GROWTH_PERCENT = 600;

/** `ebs-snapshot serve`: runs until SIGINT or SIGTERM, which is its regular end. */
export async function run(
  _arguments: readonly (string | undefined)[],
  flags: Flags,
  { output, stop, env }: Context,
): Promise<number> {
  const temporary = flags.data === undefined ? makeTemporaryFolder() : undefined;
  const credentials = credentialsOf(env);
  const directory = flags.data ?? temporary?.path ?? '';
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  keepFreedMemory();
  try {
    const service = await LocalEbs.start({
      directory,
      ...given({
        port: flags.port,
        host: flags.host,
        region: flags.region,
        credentials,
        // The service judges it.
        hostility: flags.hostility as HostilitySettings | undefined,
      }),
    });
    try {
      output.message(whatItKnows(credentials));
      if (flags.hostility !== undefined) {
        const { seed = 0 } = service.hostility();
        output.message(`misbehaves as told, by the seed ${seed}`);
      }
      if (temporary !== undefined) {
        output.message('keeps its data in a temporary folder; --data DIR keeps it for good');
      }
      const { endpoint, region } = service;
      const { accessKeyId } = service.credentials;
      output.event('listening', { endpoint, region, accessKeyId, data: directory });
      output.result(`listening on ${endpoint}`);
      if (!stop.signal.aborted) await once(stop.signal, 'abort');
    } finally {
      await service.close();
    }
  } finally {
    temporary?.remove();
  }
  output.event('end', {});
  return EXIT.done;
}

function credentialsOf(env: NodeJS.ProcessEnv): LocalCredentials | undefined {
  const accessKeyId = env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY;
  if (!accessKeyId || !secretAccessKey) return undefined;
  const sessionToken = env.AWS_SESSION_TOKEN;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

function whatItKnows(credentials: LocalCredentials | undefined): string {
  if (credentials !== undefined) {
    return `knows the access key ${credentials.accessKeyId} of its environment`;
  }
  const { accessKeyId, secretAccessKey } = DEFAULT_LOCAL_CREDENTIALS;
  return `knows the default access key ${accessKeyId} with the secret ${secretAccessKey}`;
}
