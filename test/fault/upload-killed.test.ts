import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { BLOCK_SIZE } from '../../src/index.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { envOf, startCommand, type RunningCommand } from '../support/command.ts';
import { diskOf, fill } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const KILLS = Number(process.env.RESUME_KILLS ?? 8);
const SEED = Number(process.env.RESUME_SEED ?? Date.now() % 1_000_000);
const BLOCKS = 40;
/** Blocks in flight at most: what `--memory 4M` holds. */
const WINDOW = 8;
const FLAGS = ['--manifest', 'disk.manifest', '--resume', '--json', '--memory', '4M'];

type Random = () => number;

/** Waits until a run should be killed, or has ended. */
type Moment = (hasEnded: () => boolean) => Promise<void>;

/** After a random request of the run has arrived, and a random while later. */
function amidRequests({ ebs }: LocalService, random: Random): Moment {
  const requests = ebs.counters().requests + 1 + Math.floor(random() * BLOCKS);
  const turns = Math.floor(random() * 200);
  return async (hasEnded) => {
    while (ebs.counters().requests < requests && !hasEnded()) await turn();
    for (let count = 0; count < turns; count += 1) await turn();
  };
}

/** While CompleteSnapshot waits for its answer, and the service knows nothing of it. */
function beforeCompletion({ ebs }: LocalService): Moment {
  ebs.inject({ operation: 'CompleteSnapshot', fault: 'stall' });
  const { byOperation } = ebs.counters();
  const isAsked = (): boolean => {
    const { byOperation: now, inFlight } = ebs.counters();
    const hasPut = now.PutSnapshotBlock !== byOperation.PutSnapshotBlock;
    return inFlight === 1 && (hasPut || now.StartSnapshot === byOperation.StartSnapshot);
  };
  return async (hasEnded) => {
    // A block may be the only request in flight for a moment, which is as good an instant as any.
    while (!isAsked() && !hasEnded()) await turn();
    ebs.clearFaults();
  };
}

/** When the service has accepted CompleteSnapshot, and the run may have heard of it or not. */
function afterCompletion({ ebs }: LocalService, random: Random): Moment {
  const completions = (): number => ebs.counters().byOperation.CompleteSnapshot ?? 0;
  const before = completions();
  const turns = Math.floor(random() * 100);
  return async (hasEnded) => {
    while (completions() === before && !hasEnded()) await turn();
    for (let count = 0; count < turns; count += 1) await turn();
  };
}

function randomMoment(service: LocalService, random: Random): Moment {
  const kind = random();
  if (kind < 0.7) return amidRequests(service, random);
  return kind < 0.85 ? beforeCompletion(service) : afterCompletion(service, random);
}

/** Kills a run at a moment; false when it was faster. */
async function killAt(moment: Moment, { child, result }: RunningCommand): Promise<boolean> {
  const hasEnded = (): boolean => child.exitCode !== null;
  await moment(hasEnded);
  const isKilled = child.kill('SIGKILL') && !hasEnded();
  await result;
  return isKilled;
}

/** Changes some blocks of a disk, as long as it will be read again. */
async function mayChange(disk: Buffer, manifest: string, random: Random): Promise<void> {
  const { state } = existsSync(manifest) ? await factsOf(manifest) : { state: 'planned' };
  if (random() < 0.5 || (state !== 'planned' && state !== 'started')) return;
  for (let count = 0; count < 5; count += 1) {
    const at = Math.floor(random() * BLOCKS) * BLOCK_SIZE;
    const block = disk.subarray(at, at + BLOCK_SIZE);
    if (random() < 0.3) block.fill(0);
    else fill(block, Math.floor(random() * 1000));
  }
}

async function factsOf(path: string): Promise<Manifest['facts']> {
  await using manifest = await Manifest.open(path);
  return manifest.facts;
}

/** One upload, killed some times and then let be; returns how often it was killed. */
async function uploadThroughKills(service: LocalService, random: Random): Promise<number> {
  const cwd = await temporaryFolder();
  const manifest = join(cwd, 'disk.manifest');
  const disk = diskOf('dd0d'.repeat(BLOCKS / 4), Math.floor(random() * 1000));
  const run = (): RunningCommand => {
    const rate = ['--max-rate', `${24 + Math.floor(random() * 40)}M`];
    const command = startCommand(['upload', 'disk.img', ...FLAGS, ...rate], {
      cwd,
      env: envOf(service.ebs),
    });
    onTestFinished(() => void command.child.kill('SIGKILL'));
    return command;
  };
  let kills = 0;
  for (let left = 1 + Math.floor(random() * 4); left > 0; left -= 1) {
    await mayChange(disk, manifest, random);
    await writeFile(join(cwd, 'disk.img'), disk);
    if (await killAt(randomMoment(service, random), run())) kills += 1;
    service.ebs.clearFaults();
  }
  const { exitCode, stdout, stderr } = await run().result;
  expect({ exitCode, stderr, stdout }).toMatchObject({ exitCode: 0 });
  const { snapshotId = '' } = await factsOf(manifest);
  await expectVolume(service, snapshotId, { disk, blocks: BLOCKS + 1 });
  const report = await service.ebs.snapshotReport(snapshotId);
  expect(report).toMatchObject({ status: 'completed', untracked: 0, putsAfterComplete: 0 });
  expect(report?.needlessPuts).toBeLessThanOrEqual(WINDOW * kills);
  return kills;
}

test(`uploads killed ${KILLS} times go on to the right snapshot (seed ${SEED})`, async () => {
  // However often a start is killed, it finds the snapshot again: with a second one this test would wait for ever.
  const service = await startLocalService({ hostility: { quotas: { pendingSnapshots: 1 } } });
  const random = seededRandom(SEED);
  for (let kills = 0; kills < KILLS;) kills += await uploadThroughKills(service, random);
}, 1_200_000);
