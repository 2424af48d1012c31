import { readdir, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { complaints, jsonLines } from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { canUseFailingDisks, startBreakableDisk } from '../support/failing-disk.ts';
import { acknowledgements, endOf, putDiskOnItsWay, SLOWLY } from '../support/interrupted-upload.ts';
import { startLocalService } from '../support/local-service.ts';
import {
  attachLoopDevice,
  canUseLoopDevices,
  copyAfterPowerLoss,
  makeImage,
  mount,
  mountImage,
} from '../support/loop-device.ts';
import { expectVolume } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Records of the first blocks are in the manifest's first page, those of the last in its second. */
const DISK = diskOf(`dddd${'0'.repeat(128)}dddd`);
const WAIT = { timeout: 30_000 };
const BLOCKS = DISK.length / 524_288 + 1;

const PAGE = 4096;
const FIRST_PAGE_AT = 139_264;

/** Pages that a manifest takes before it has any record: two headers and the holder; and the first record's. */
const [EMPTY_PAGES, RECORD_PAGES] = [3, 2];

/** A folder on a disk of its own with room for so many pages, beside a file that may go. */
async function folderWithRoom(pages: number): Promise<{ folder: string; other: string }> {
  const folder = await temporaryFolder();
  await mount('tmpfs', folder, '-t', 'tmpfs', '-o', `size=${(pages + 4) * PAGE}`);
  const other = join(folder, 'other');
  await writeFile(other, Buffer.alloc(4 * PAGE));
  return { folder, other };
}

describe.skipIf(!canUseLoopDevices)('a full disk (needs root and mount)', () => {
  it('stops the upload with one sentence, and it goes on when there is room', async () => {
    const service = await startLocalService();
    const { folder, other } = await folderWithRoom(EMPTY_PAGES + RECORD_PAGES);
    const manifest = join(folder, 'disk.manifest');
    const upload = await putDiskOnItsWay(DISK, { manifest });
    const { exitCode, sentence, event } = endOf(await upload.start(service, ['--json']).result);
    expect(exitCode).toBe(5);
    expect(sentence).toBe(
      `ebs-snapshot: writing "${manifest}" at byte ${FIRST_PAGE_AT + PAGE} failed: no space left on device (ENOSPC); make room, or repair the disk`,
    );
    const { ENOSPC } = constants.errno;
    expect(event).toMatchObject({ code: 'ERR_EBS_MANIFEST_IO', path: manifest, errno: ENOSPC });
    expect(service.requests('CompleteSnapshot')).toBe(0);

    await rm(other);
    const snapshotId = await upload.goOn(service);
    expect(snapshotId).toBe(event.snapshotId);
    await expectVolume(service, snapshotId, { disk: DISK, blocks: BLOCKS });
  });

  it.each([0, 1, 2])(
    'with %i pages left has no room for a manifest, and nothing is started',
    async (pages) => {
      const service = await startLocalService();
      const { folder } = await folderWithRoom(pages);
      const upload = await putDiskOnItsWay(DISK, { manifest: join(folder, 'disk.manifest') });
      const { exitCode, stdout, stderr } = await upload.start(service, ['--json']).result;
      expect(complaints(stderr)).toEqual([
        expect.stringMatching(/^ebs-snapshot: writing ".*" at byte \d+ failed: no space left/),
      ]);
      expect(exitCode).toBe(1);
      expect(jsonLines(stdout).at(-1)).toMatchObject({ code: 'ERR_EBS_MANIFEST_IO' });
      expect(service.ebs.counters().requests).toBe(0);
      // Neither does it stand in the way of the next run.
      expect(await readdir(folder)).toEqual(['other']);
    },
  );
});

describe.skipIf(!canUseLoopDevices || !canUseFailingDisks)('a disk that cannot be written', () => {
  it('stops the upload before it is completed, and it goes on with a copy of the disk', async () => {
    const service = await startLocalService();
    const broken = await startBreakableDisk(await makeImage('ext4', 16));
    const folder = await temporaryFolder();
    await mount(await attachLoopDevice(broken.path), folder);
    const disk = diskOf('d'.repeat(32));
    const upload = await putDiskOnItsWay(disk, { manifest: join(folder, 'disk.manifest') });
    const { result } = upload.start(service, ['--json', ...SLOWLY]);
    await expect.poll(() => acknowledgements(service), WAIT).toBeGreaterThan(8);
    await broken.break();

    const { exitCode, sentence, event } = endOf(await result);
    expect(exitCode).toBe(5);
    expect(sentence).toMatch(
      /^ebs-snapshot: syncing ".*" failed: .*\(EIO\); make room, or repair the disk$/,
    );
    expect(event).toMatchObject({ code: 'ERR_EBS_MANIFEST_IO', errno: constants.errno.EIO });
    expect(service.requests('CompleteSnapshot')).toBe(0);
    const sent = acknowledgements(service);

    const manifest = join(
      await mountImage(await copyAfterPowerLoss(broken.image)),
      'disk.manifest',
    );
    const snapshotId = await upload.goOn(service, { manifest });
    expect(snapshotId).toBe(event.snapshotId);
    expect(acknowledgements(service) - sent).toBeLessThanOrEqual(32);
    await expectVolume(service, snapshotId, { disk, blocks: 33 });
  });
});
