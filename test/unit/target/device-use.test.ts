import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { useOfDevice, type DeviceRecords } from '../../../src/target/device-use.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('useOfDevice', () => {
  it.each([
    ['a mounted disk', '/dev/sda', 'sda is mounted on "/srv/my disk"'],
    ['a disk with a partition that is swapped to', '/dev/sdb', 'sdb2 is swap space'],
    ['a swapped partition', '/dev/sdb2', 'sdb2 is swap space'],
    ['a part of a logical volume', '/dev/sdc', 'sdc1 is a part of dm-0 (vg-root)'],
    ['a part of a RAID', '/dev/sdd', 'sdd is a part of md0'],
    ['a disk that nothing is known of', '/dev/sde', undefined],
    ['a disk whose name begins like that of another', '/dev/sd', undefined],
  ])('names the use of %s', async (_, path, use) => {
    expect(await useOfDevice(path, await machine())).toBe(use);
  });
});

/** What Linux tells of a machine with five disks. */
async function machine(): Promise<DeviceRecords> {
  const root = await temporaryFolder();
  const [sys, proc] = [join(root, 'sys'), join(root, 'proc')];
  const numbers = {
    sda: '8:0',
    sdb: '8:16',
    'sdb/sdb1': '8:17',
    'sdb/sdb2': '8:18',
    sdb2: '8:18',
    'sdc/sdc1': '8:33',
    sdc1: '8:33',
    sdd: '8:48',
    sde: '8:64',
  };
  for (const [name, number] of Object.entries(numbers)) {
    await mkdir(join(sys, name), { recursive: true });
    await writeFile(join(sys, name, 'dev'), `${number}\n`);
  }
  await mkdir(join(sys, 'sdc1/holders/dm-0'), { recursive: true });
  await mkdir(join(sys, 'dm-0/dm'), { recursive: true });
  await writeFile(join(sys, 'dm-0/dm/name'), 'vg-root\n');
  await mkdir(join(sys, 'sdd/holders/md0'), { recursive: true });
  await mkdir(join(proc, 'self'), { recursive: true });
  const mounts = '36 35 8:0 / /srv/my\\040disk rw - ext4 /dev/sda rw\n';
  await writeFile(join(proc, 'self/mountinfo'), mounts);
  const swaps = 'Filename Type Size Used Priority\n/dev/sdb2 partition 1048572 0 -2\n';
  await writeFile(join(proc, 'swaps'), swaps);
  return { sys, proc };
}
