import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { diskOf } from '../support/disk-content.ts';
import {
  acknowledgements,
  endOf,
  putDiskOnItsWay,
  SLOWLY,
  WINDOW_BLOCKS,
} from '../support/interrupted-upload.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const QUICK_TIME = fileURLToPath(new URL('../support/quick-time.mjs', import.meta.url));
const BLOCKS = 32;
const WAIT = { timeout: 30_000 };

/** Ways in which a service is there no more. */
const OUTAGES: Readonly<Record<string, (service: LocalService) => Promise<void> | void>> = {
  'refuses connections': ({ ebs }) => ebs.close(),
  'falls silent': ({ ebs }) => {
    ebs.inject({ operation: 'PutSnapshotBlock', fault: 'stall-before-body', times: Infinity });
  },
};

it.each(Object.entries(OUTAGES))(
  'an upload whose service %s for more than five minutes ends with 5, and goes on later',
  async (_name, happens) => {
    const directory = join(await temporaryFolder(), 'service');
    const disk = diskOf('dd0d'.repeat(BLOCKS / 4));
    const upload = await putDiskOnItsWay(disk, { env: { NODE_OPTIONS: `--import=${QUICK_TIME}` } });
    const before = await startLocalService({ directory });
    const { child, result } = upload.start(before, ['--json', ...SLOWLY]);
    await expect.poll(() => acknowledgements(before), WAIT).toBeGreaterThan(BLOCKS / 4);
    await happens(before);
    child.kill('SIGUSR2');

    const { exitCode, sentence, event } = endOf(await result);
    expect(exitCode).toBe(5);
    expect(sentence).toMatch(
      /^ebs-snapshot: PutSnapshotBlock .*; check the network and the endpoint, then run the command again$/,
    );
    expect(event).toMatchObject({ type: 'error', code: 'ERR_EBS_TRANSPORT', exitCode: 5 });
    const sent = acknowledgements(before);
    await before.ebs.close();

    const after = await startLocalService({ directory });
    const snapshotId = await upload.goOn(after);
    expect(snapshotId).toBe(event.snapshotId);
    expect(acknowledgements(after)).toBeLessThanOrEqual(BLOCKS - sent + WINDOW_BLOCKS);
    await expectVolume(after, snapshotId, { disk, blocks: BLOCKS + 1 });
  },
);
