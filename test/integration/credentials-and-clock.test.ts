import { EBSClient } from '@aws-sdk/client-ebs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SnapshotWriter, type RetryEvent, type TransportChoice } from '../../src/index.ts';
import { diskOf, expectedPuts } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';

const TRANSPORTS: TransportChoice[] = ['lean', 'sdk'];
const DISK = diskOf('0'.repeat(24));
/** Long enough that all of the first window are under way when the first answer comes. */
const LATENCY = { default: 60 };

interface Provided {
  readonly client: EBSClient;
  /** Forced renewals so far. */
  readonly renewals: () => number;
}

/** A client whose provider of credentials is told of expiry. */
function makeClient(
  { ebs }: LocalService,
  onRenewal: () => Promise<void> | void = () => undefined,
): Provided {
  let renewals = 0;
  const { accessKeyId, secretAccessKey } = ebs.credentials;
  const client = new EBSClient({
    endpoint: ebs.endpoint,
    region: ebs.region,
    credentials: async (options?: { forceRefresh?: boolean }) => {
      if (options?.forceRefresh === true) {
        renewals += 1;
        await onRenewal();
      }
      return { accessKeyId, secretAccessKey };
    },
  });
  onTestFinished(() => client.destroy());
  return { client, renewals: () => renewals };
}

function startUpload(client: EBSClient, transport: TransportChoice) {
  const writer = new SnapshotWriter({ client, transport, params: { VolumeSize: 1 } });
  const retries: RetryEvent[] = [];
  writer.on('retry', (event) => retries.push(event));
  writer.on('error', () => undefined);
  writer.end(DISK);
  return { writer, retries };
}

describe.each(TRANSPORTS)('over the %s transport', (transport) => {
  test('credentials that expire half-way are renewed once for all that was in flight', async () => {
    const service = await startLocalService({ hostility: { latency: LATENCY } });
    const { client, renewals } = makeClient(service, async () => {
      // Not before all that was in flight has been refused.
      await expect.poll(() => service.ebs.counters().inFlight).toBe(0);
      service.ebs.setHostility({ latency: LATENCY });
    });
    const { writer, retries } = startUpload(client, transport);
    writer.once('snapshot', () =>
      service.ebs.setHostility({ latency: LATENCY, faults: { 'expired-credentials': 1 } }),
    );
    await writer.done();
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(DISK));
    expect(renewals()).toBe(1);
    expect(retries.length).toBeGreaterThan(1);
    for (const retry of retries) {
      expect(retry).toMatchObject({
        attempt: 1,
        delayMs: 0,
        error: { serviceCode: 'ExpiredTokenException', retryClass: 'credentials' },
      });
    }
  });

  test('credentials that stay expired end the job, and the error says what to do', async () => {
    const service = await startLocalService({
      hostility: { faults: { 'expired-credentials': 1 } },
    });
    const { client } = makeClient(service);
    const { writer } = startUpload(client, transport);
    await expect(writer.done()).rejects.toMatchObject({
      code: 'ERR_EBS_ACCESS',
      serviceCode: 'ExpiredTokenException',
      attempts: 3,
      message: expect.stringMatching(/expired; .*sign in again/) as string,
    });
  });

  test('credentials that cannot be renewed end the job with what their provider says', async () => {
    const service = await startLocalService({
      hostility: { faults: { 'expired-credentials': 1 } },
    });
    const { client, renewals } = makeClient(service, () => {
      throw Object.assign(new Error('the session has ended'), { name: 'CredentialsProviderError' });
    });
    const { writer } = startUpload(client, transport);
    await expect(writer.done()).rejects.toMatchObject({
      code: 'ERR_EBS_ACCESS',
      message: 'StartSnapshot could not be sent: the session has ended',
      attempts: 1,
    });
    expect(renewals()).toBe(1);
  });

  test.each([
    ['slow', -3_600_000],
    ['fast', 3_600_000],
  ])('a clock that is found %s half-way is corrected', async (_name, offsetMs) => {
    const service = await startLocalService({ hostility: { latency: LATENCY } });
    const { client } = makeClient(service);
    const { writer, retries } = startUpload(client, transport);
    writer.once('snapshot', () => (client.config.systemClockOffset = offsetMs));
    await writer.done();
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(DISK));
    expect(Math.abs(client.config.systemClockOffset)).toBeLessThan(240_000);
    expect(
      new Set(retries.map(({ error }) => (error as { retryClass?: string }).retryClass)),
    ).toEqual(new Set(['clock']));
  });
});
