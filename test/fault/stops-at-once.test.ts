import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EBSClient } from '@aws-sdk/client-ebs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  SnapshotWriter,
  type SnapshotWriterOptions,
  type TransportChoice,
} from '../../src/index.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';

// Its sleepers wake only when they are aborted.
vi.mock(import('../../src/base/clock.ts'), async () => {
  const { FakeClock } = await import('../support/fake-clock.ts');
  return { systemClock: new FakeClock() };
});

/** When a writer is stopped, and what makes it stay there: nothing that it waits for ever comes. */
interface Moment {
  readonly name: string;
  readonly arrange: (service: LocalService) => void;
  readonly isReached: (service: LocalService, writer: SnapshotWriter) => boolean;
}

const inFlight = ({ ebs }: LocalService): number => ebs.counters().inFlight;
const stallOf = (operation: string) => ({ operation, times: 1000, fault: 'stall' }) as const;

const MOMENTS: readonly Moment[] = [
  {
    name: 'StartSnapshot',
    arrange: ({ ebs }) => ebs.inject(stallOf('StartSnapshot')),
    isReached: (service) => inFlight(service) === 1,
  },
  {
    name: 'PutSnapshotBlock at a server that is frozen',
    arrange: ({ ebs }) => ebs.inject(stallOf('PutSnapshotBlock')),
    isReached: (service) => inFlight(service) >= 6,
  },
  {
    name: 'CompleteSnapshot',
    arrange: ({ ebs }) => ebs.inject(stallOf('CompleteSnapshot')),
    isReached: (service) => inFlight(service) === 1 && service.requests('PutSnapshotBlock') === 6,
  },
  {
    name: 'the wait for completion',
    arrange: ({ ebs }) => ebs.setHostility({ lags: { completionMs: 1e9 } }),
    isReached: ({ requests }) => requests('CompleteSnapshot') === 2,
  },
  {
    name: 'the wait for readability',
    arrange: ({ ebs }) => ebs.setHostility({ lags: { readabilityMs: 1e9 } }),
    isReached: ({ requests }) => requests('ListSnapshotBlocks') === 1,
  },
  {
    name: 'a listing that is not answered',
    arrange: ({ ebs }) => ebs.inject(stallOf('ListSnapshotBlocks')),
    isReached: (service) => inFlight(service) === 1 && service.requests('CompleteSnapshot') > 0,
  },
  {
    name: 'the pause before a retry',
    arrange: ({ ebs }) =>
      ebs.setHostility({ faults: { 'internal-error': only('PutSnapshotBlock') } }),
    isReached: (_service, writer) => writer.progress.retries === 6,
  },
  {
    name: 'the wait for a snapshot that is not yet visible',
    arrange: ({ ebs }) => ebs.setHostility({ faults: { invisible: { rate: 1, withinMs: 1e9 } } }),
    isReached: (_service, writer) => writer.progress.retries === 6,
  },
];

function only(operation: string) {
  return { rate: 1, operations: [operation] };
}

function startUpload(client: EBSClient, options: Partial<SnapshotWriterOptions>): SnapshotWriter {
  const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 }, ...options });
  writer.on('error', () => undefined);
  writer.end(diskOf('0'.repeat(6)));
  return writer;
}

/** Resolves when the service has no request left, and stays so for as long as anything could still be started. */
async function expectSilence(service: LocalService): Promise<void> {
  await expect.poll(() => inFlight(service)).toBe(0);
  const { requests } = service.ebs.counters();
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(service.ebs.counters()).toMatchObject({ requests, inFlight: 0 });
}

const WAYS: readonly (readonly [string, TransportChoice])[] = [
  ['destroy()', 'lean'],
  ['signal', 'lean'],
  ['destroy()', 'sdk'],
];

describe.each(WAYS)('%s over the %s transport ends', (way, transport) => {
  test.each(MOMENTS)('$name', async ({ arrange, isReached }) => {
    const service = await startLocalService();
    arrange(service);
    const abort = new AbortController();
    const writer = startUpload(service.client, { transport, signal: abort.signal });
    const closed = new Promise((resolve) => writer.once('close', resolve));
    await expect.poll(() => isReached(service, writer)).toBe(true);
    if (way === 'signal') abort.abort();
    else writer.destroy();
    await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    await closed;
    await expectSilence(service);
  });
});

test('destroy() in the moment of the answer to StartSnapshot sends nothing but the deletion', async () => {
  const service = await startLocalService();
  const writer = startUpload(service.client, { onFailure: 'delete' });
  const destroy = (): void => void writer.destroy();
  subscribe('ebs-snapshot-stream:request:end', destroy);
  onTestFinished(() => void unsubscribe('ebs-snapshot-stream:request:end', destroy));
  await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
  await expectSilence(service);
  expect(service.ebs.counters().byOperation).toEqual({ StartSnapshot: 1, DeleteSnapshot: 1 });
});

test('destroy() does not wait for credentials that never come', async () => {
  const { ebs } = await startLocalService();
  let isAsked = false;
  const client = new EBSClient({
    endpoint: ebs.endpoint,
    region: ebs.region,
    credentials: () => {
      isAsked = true;
      return new Promise(() => undefined);
    },
  });
  onTestFinished(() => client.destroy());
  const writer = startUpload(client, {});
  await expect.poll(() => isAsked).toBe(true);
  writer.destroy();
  await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
});
