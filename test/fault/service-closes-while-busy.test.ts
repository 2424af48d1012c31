import { expect, test } from 'vitest';
import { BLOCK_SIZE, SnapshotWriter } from '../../src/index.ts';
import { startLocalService } from '../support/local-service.ts';
import { filledBlock } from '../support/memory-snapshot.ts';

test('a service closes while blocks wait for its buffers', async () => {
  const { client, ebs } = await startLocalService({ maxBufferBytes: BLOCK_SIZE });
  // One that stalls for ever gives its buffer back; one that goes on some day keeps it.
  ebs.inject({ operation: 'PutSnapshotBlock', fault: 'stall-in-body', forMs: 3_600_000 });
  const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
  writer.on('error', () => undefined);
  for (let index = 0; index < 8; index += 1) writer.write({ index, data: filledBlock(index + 1) });
  await expect.poll(() => ebs.counters().inFlight).toBe(8);
  writer.destroy();
  await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
  await ebs.close();
  expect(ebs.counters().inFlight).toBe(0);
});
