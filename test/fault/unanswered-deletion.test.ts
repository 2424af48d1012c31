import { expect, test, vi } from 'vitest';
import { SnapshotWriter } from '../../src/index.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService } from '../support/local-service.ts';

vi.mock(import('../../src/base/clock.ts'), async () => {
  const { QuickClock } = await import('../support/quick-clock.ts');
  return { systemClock: new QuickClock(50) };
});

test('a deletion that is never answered does not keep a writer from closing', async () => {
  const { client, ebs, requests } = await startLocalService();
  ebs.inject({ operation: 'PutSnapshotBlock', times: 10, fault: 'stall' });
  ebs.inject({ operation: 'DeleteSnapshot', times: 1000, fault: 'stall' });
  const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 }, onFailure: 'delete' });
  writer.on('error', () => undefined);
  writer.end(diskOf('0'));
  await expect.poll(() => ebs.counters().inFlight).toBe(1);
  writer.destroy();
  await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
  await expect.poll(() => ebs.counters().inFlight).toBe(0);
  expect(requests('DeleteSnapshot')).toBe(1);
});
