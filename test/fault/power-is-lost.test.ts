import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { Manifest } from '../../src/manifest/manifest.ts';
import type { RunningCommand } from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { putDiskOnItsWay, WINDOW_BLOCKS } from '../support/interrupted-upload.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import {
  canUseLoopDevices,
  copyAfterPowerLoss,
  makeImage,
  mountImage,
} from '../support/loop-device.ts';
import { expectVolume } from '../support/read-back.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { storedStates } from '../support/stored-states.ts';

const LOSSES = Number(process.env.RESUME_POWER_LOSSES ?? 6);
const SEED = Number(process.env.RESUME_SEED ?? Date.now() % 1_000_000);
const BLOCKS = 24;
/** What the source holds by turns: every other block is the same. */
const DISKS = [diskOf('d0'.repeat(BLOCKS / 2), 1), diskOf('d0'.repeat(BLOCKS / 2), 100)] as const;
/** States in which nothing is sent any more. */
const SEALED = new Set(['completing', 'accepted', 'completed']);

type Random = () => number;

/** A machine with the manifest on a disk of its own, as it is when the power comes back. */
interface Machine {
  readonly image: string;
  readonly manifest: string;
}

async function powerUp(image: string): Promise<Machine> {
  return { image, manifest: join(await mountImage(image), 'disk.manifest') };
}

/** Takes the power from a run at a random request of it; now and then the kernel has written everything before. */
async function losePower(
  { image, manifest }: Machine,
  { child, result }: RunningCommand,
  { service, random }: { service: LocalService; random: Random },
): Promise<Machine> {
  const { ebs } = service;
  const hasEnded = (): boolean => child.exitCode !== null;
  const until = async (requests: number): Promise<void> => {
    while (ebs.counters().requests < requests && !hasEnded()) await turn();
  };
  const first = ebs.counters().requests + 1 + Math.floor(random() * BLOCKS);
  await until(first);
  if (random() < 0.7) await promisify(execFile)('sync', ['--file-system', join(manifest, '..')]);
  await until(first + Math.floor(random() * 5));
  child.kill('SIGSTOP');
  const left = await copyAfterPowerLoss(image);
  child.kill('SIGKILL');
  await result;
  return powerUp(left);
}

/** The digest with which the service acknowledged each block last, in base64. */
function digestsAcknowledged({ ebs }: LocalService): Map<number, string> {
  const puts = ebs
    .history()
    .filter(({ operation, status }) => operation === 'PutSnapshotBlock' && status === 201);
  return new Map(puts.map(({ blockIndex = -1, digest = '' }) => [blockIndex, digest]));
}

/**
 * Looks at a manifest after a power loss: it never says more than is true. Returns how many blocks the service has of
 * which it does not know.
 */
async function blocksForgotten(
  service: LocalService,
  { manifest: path }: Machine,
): Promise<number> {
  const acknowledged = digestsAcknowledged(service);
  const manifest = await Manifest.open(path).catch(() => undefined);
  if (manifest === undefined) {
    // Before it is on the disk nothing is started that would be lost with it.
    expect(service.requests('StartSnapshot')).toBe(0);
    return 0;
  }
  let known = 0;
  for await (const records of manifest.records()) {
    for (const { blockIndex, state, digest } of records) {
      if (state !== 'written') continue;
      known += 1;
      expect(`${blockIndex}: ${digest?.toString('base64')}`).toBe(
        `${blockIndex}: ${acknowledged.get(blockIndex)}`,
      );
    }
  }
  await manifest.close();
  if (SEALED.has(manifest.facts.state)) expect(known).toBe(BLOCKS);
  return acknowledged.size - known;
}

/** Whether the source is needed no more, so that what it holds by now does not matter. */
async function isSealed({ manifest: path }: Machine): Promise<boolean> {
  const manifest = await Manifest.open(path).catch(() => undefined);
  await manifest?.close();
  return manifest !== undefined && SEALED.has(manifest.facts.state);
}

/** One upload that loses its power some times; returns how often. */
async function uploadThroughLosses(random: Random): Promise<number> {
  const service = await startLocalService();
  let disk: Buffer = DISKS[0];
  let machine = await powerUp(await makeImage('ext4', 16));
  const upload = await putDiskOnItsWay(disk);
  const losses = 1 + Math.floor(random() * 4);
  let forgotten = 0;
  for (let count = 0; count < losses; count += 1) {
    if (random() < 0.5 && !(await isSealed(machine))) disk = DISKS[disk === DISKS[0] ? 1 : 0];
    await writeFile(upload.source, disk);
    const flags = ['--resume', '--manifest', machine.manifest, '--max-rate', '32M'];
    machine = await losePower(machine, upload.start(service, flags), { service, random });
    forgotten += await blocksForgotten(service, machine);
  }
  const snapshotId = await upload.goOn(service, machine);
  expect(await storedStates(service.client)).toEqual([{ snapshotId, status: 'completed' }]);
  await expectVolume(service, snapshotId, { disk, blocks: BLOCKS + 1 });
  const report = await service.ebs.snapshotReport(snapshotId);
  expect(report?.needlessPuts).toBeLessThanOrEqual(forgotten + WINDOW_BLOCKS * losses);
  return losses;
}

it.skipIf(!canUseLoopDevices)(
  `uploads that lose the power ${LOSSES} times go on to the right snapshot (seed ${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    for (let losses = 0; losses < LOSSES;) losses += await uploadThroughLosses(random);
  },
  600_000,
);
