import { EBSClient } from '@aws-sdk/client-ebs';
import { onTestFinished } from 'vitest';
import { LocalEbs, type LocalEbsOptions } from '../../src/local.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A local service and a client of it, both closed when the test ends. */
export interface LocalService {
  readonly ebs: LocalEbs;
  readonly client: EBSClient;
  /** PutSnapshotBlock requests that were acknowledged, as `index:digest`, sorted by index. */
  readonly acknowledgedPuts: () => string[];
  /** How often each operation was asked for. */
  readonly requests: (operation: string) => number;
}

/** Starts a local service in a folder of its own. */
export async function startLocalService(
  options: Partial<LocalEbsOptions> = {},
): Promise<LocalService> {
  const ebs = await LocalEbs.start({ directory: await temporaryFolder(), ...options });
  const { accessKeyId, secretAccessKey } = ebs.credentials;
  const client = new EBSClient({
    endpoint: ebs.endpoint,
    region: ebs.region,
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: { httpAgent: { maxSockets: 256 } },
  });
  onTestFinished(async () => {
    client.destroy();
    await ebs.close();
  });
  return {
    ebs,
    client,
    acknowledgedPuts: () =>
      ebs
        .history()
        .filter(({ operation, status }) => operation === 'PutSnapshotBlock' && status === 201)
        .sort((a, b) => (a.blockIndex ?? 0) - (b.blockIndex ?? 0))
        .map(({ blockIndex, digest }) => `${blockIndex ?? '?'}:${digest ?? '?'}`),
    requests: (operation) => ebs.counters().byOperation[operation] ?? 0,
  };
}
