import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { completeSnapshot, startSnapshot } from '../../src/index.ts';
import { envOf, startCommand, type RunningCommand } from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const KILLS = Number(process.env.PARTS_KILLS ?? 4);
const SEED = Number(process.env.PARTS_SEED ?? Date.now() % 1_000_000);
const BLOCKS = 48;
const PARTS = 4;
/** Blocks in flight at most: what `--memory 4M` holds. */
const WINDOW = 8;

/** An array job: its tasks, and how each of them is run. */
interface Job {
  readonly service: LocalService;
  readonly disk: Buffer;
  readonly snapshotId: string;
  readonly cwd: string;
  readonly runPart: (part: number) => RunningCommand;
}

/** A disk cut at random into ranges that share the block at each border; all are in one page. */
async function startJob(service: LocalService, random: () => number): Promise<Job> {
  const cwd = await temporaryFolder();
  const disk = diskOf('dd0d'.repeat(BLOCKS / 4), Math.floor(random() * 1000));
  await writeFile(join(cwd, 'disk.img'), disk);
  const { client } = service;
  const { SnapshotId: snapshotId } = await startSnapshot({ client, params: { VolumeSize: 1 } });
  const share = BLOCKS / PARTS;
  const cuts = Array.from({ length: PARTS }, (_, part) =>
    part === 0 ? 0 : part * share + Math.floor(random() * 6) - 3,
  );
  const runPart = (part: number): RunningCommand => {
    const range = `${cuts[part]}:${cuts[part + 1] ?? ''}`;
    const which = ['--snapshot-id', snapshotId, '--range', range, '--manifest', `part-${part}`];
    const how = ['--resume', '--zero-blocks', 'omit', '--memory', '4M', '--max-rate', '24M'];
    const command = startCommand(['upload', 'disk.img', ...which, ...how], {
      cwd,
      env: envOf(service.ebs),
    });
    onTestFinished(() => void command.child.kill('SIGKILL'));
    return command;
  };
  return { service, disk, snapshotId, cwd, runPart };
}

/** Kills a part after a random request of the job, and a random while later; false when it was faster. */
async function killSometime({ ebs }: LocalService, part: RunningCommand, random: () => number) {
  const { child, result } = part;
  const requests = ebs.counters().requests + 1 + Math.floor(random() * BLOCKS);
  const hasEnded = (): boolean => child.exitCode !== null;
  while (ebs.counters().requests < requests && !hasEnded()) await turn();
  for (let turns = Math.floor(random() * 200); turns > 0; turns -= 1) await turn();
  const isKilled = child.kill('SIGKILL') && !hasEnded();
  await result;
  return isKilled;
}

/** All parts at a time, some of them killed, until each has ended well; returns how often one was killed. */
async function runThroughKills(job: Job, random: () => number): Promise<number> {
  let kills = 0;
  const runs = Array.from({ length: PARTS }, async (_, part) => {
    for (let left = Math.floor(random() * 3); left > 0; left -= 1) {
      if (await killSometime(job.service, job.runPart(part), random)) kills += 1;
    }
    expect(await job.runPart(part).result).toMatchObject({ exitCode: 0 });
  });
  await Promise.all(runs);
  return kills;
}

test(`parts killed ${KILLS} times make the right snapshot (seed ${SEED})`, async () => {
  const service = await startLocalService();
  const random = seededRandom(SEED);
  for (let kills = 0; kills < KILLS;) {
    const job = await startJob(service, random);
    const killsOfJob = await runThroughKills(job, random);
    const { snapshotId, disk, cwd } = job;
    const manifests = Array.from({ length: PARTS }, (_, part) => join(cwd, `part-${part}`));
    const completed = await completeSnapshot({ client: service.client, snapshotId, manifests });
    expect(completed).toMatchObject({ status: 'completed', partsCount: PARTS });
    await expectVolume(service, snapshotId, { disk, blocks: BLOCKS + 1 });
    const report = await service.ebs.snapshotReport(snapshotId);
    expect(report).toMatchObject({ status: 'completed', untracked: 0, putsAfterComplete: 0 });
    expect(report?.needlessPuts).toBeLessThanOrEqual(WINDOW * killsOfJob + PARTS - 1);
    kills += killsOfJob;
  }
}, 1_200_000);
