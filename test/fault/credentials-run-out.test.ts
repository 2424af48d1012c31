import { join } from 'node:path';
import { expect, it } from 'vitest';
import { diskOf } from '../support/disk-content.ts';
import {
  acknowledgements,
  endOf,
  putDiskOnItsWay,
  SLOWLY,
  WINDOW_BLOCKS,
} from '../support/interrupted-upload.ts';
import { startLocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BLOCKS = 32;
const WAIT = { timeout: 30_000 };
const FRESH = { accessKeyId: 'fresh', secretAccessKey: 'fresh-secret' };

it('an upload whose credentials run out ends with 7, and goes on with fresh ones', async () => {
  const directory = join(await temporaryFolder(), 'service');
  const disk = diskOf('dd0d'.repeat(BLOCKS / 4));
  const upload = await putDiskOnItsWay(disk);
  const before = await startLocalService({ directory });
  const { result } = upload.start(before, ['--json', ...SLOWLY]);
  await expect.poll(() => acknowledgements(before), WAIT).toBeGreaterThan(BLOCKS / 4);
  before.ebs.setHostility({ faults: { 'expired-credentials': 1 } });

  const { exitCode, sentence, event } = endOf(await result);
  expect(exitCode).toBe(7);
  expect(sentence).toMatch(/^ebs-snapshot: .*expired; .*sign in again/);
  expect(event).toMatchObject({ type: 'error', code: 'ERR_EBS_ACCESS', exitCode: 7 });
  const sent = acknowledgements(before);
  await before.ebs.close();

  // The same account, which knows the old credentials no more.
  const after = await startLocalService({ directory, credentials: FRESH });
  const snapshotId = await upload.goOn(after);
  expect(snapshotId).toBe(event.snapshotId);
  expect(acknowledgements(after)).toBeLessThanOrEqual(BLOCKS - sent + WINDOW_BLOCKS);
  await expectVolume(after, snapshotId, { disk, blocks: BLOCKS + 1 });
});
