import { existsSync } from 'node:fs';
import { open, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { BLOCK_SIZE, GIB } from '../../src/base/constants.ts';
import { envOf, startCommand, type RunningCommand } from '../support/command.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { firstDifference, storeSnapshot, type Contents } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const KILLS = Number(process.env.RESTORE_KILLS ?? 2);
const SEED = Number(process.env.RESTORE_SEED ?? Date.now() % 1_000_000);
const BLOCKS = 60;

type Random = () => number;

/** A snapshot of data, zero and absent blocks all over a volume. */
function contentsOf(random: Random): Contents {
  const contents = new Map<number, number>([[2047, 9]]);
  while (contents.size < BLOCKS) {
    const index = Math.floor(random() * 2048);
    contents.set(index, random() < 0.2 ? 0 : 1 + Math.floor(random() * 255));
  }
  return contents;
}

/** Kills a run after a random request of its has arrived, and a random while later; false when it was faster. */
async function killAmid(
  { ebs }: LocalService,
  { child, result }: RunningCommand,
  random: Random,
): Promise<boolean> {
  const hasEnded = (): boolean => child.exitCode !== null;
  const requests = ebs.counters().requests + 1 + Math.floor(random() * (BLOCKS + 4));
  const turns = Math.floor(random() * 3000);
  while (ebs.counters().requests < requests && !hasEnded()) await turn();
  for (let count = 0; count < turns && !hasEnded(); count += 1) await turn();
  const isKilled = child.kill('SIGKILL') && !hasEnded();
  await result;
  return isKilled;
}

/** Damages a target between two runs, where it has been written or not. */
async function mayDamage(target: string, random: Random): Promise<void> {
  // Without a manifest it was done: nobody would look at it again.
  if (random() < 0.5 || !existsSync(target) || !existsSync(`${target}.ebs-manifest`)) return;
  const { size } = await stat(target);
  if (size === 0) return;
  const file = await open(target, 'r+');
  const at = Math.floor(random() * (size / BLOCK_SIZE)) * BLOCK_SIZE;
  await file.write(Buffer.from([0x5a]), 0, 1, at + Math.floor(random() * BLOCK_SIZE));
  await file.close();
}

/** One restore, killed some times and then let be; returns how often it was killed. */
async function restoreThroughKills(random: Random): Promise<number> {
  const service = await startLocalService();
  const contents = contentsOf(random);
  const snapshotId = await storeSnapshot(service.client, contents);
  const cwd = await temporaryFolder();
  const target = join(cwd, 'disk.img');
  const isForced = random() < 0.3;
  if (isForced) await writeFile(target, Buffer.alloc(50 * BLOCK_SIZE, 0xee));
  const run = (): RunningCommand => {
    const rate = ['--max-rate', `${16 + Math.floor(random() * 60)}M`];
    const force = isForced ? ['--force'] : [];
    const args = ['download', snapshotId, 'disk.img', '--memory', '4M', '--json'];
    const command = startCommand([...args, ...rate, ...force], { cwd, env: envOf(service.ebs) });
    onTestFinished(() => void command.child.kill('SIGKILL'));
    return command;
  };
  let kills = 0;
  for (let left = 1 + Math.floor(random() * 4); left > 0; left -= 1) {
    if (!(await killAmid(service, run(), random))) break;
    kills += 1;
    await mayDamage(target, random);
  }
  // One that was faster than its kill has left no manifest, and needs no second run.
  const isDone = existsSync(target) && !existsSync(`${target}.ebs-manifest`);
  if (!isDone || isForced) {
    const { exitCode, stdout, stderr } = await run().result;
    expect({ exitCode, stderr, stdout }).toMatchObject({ exitCode: 0 });
  }
  expect(await firstDifference(target, contents)).toBeUndefined();
  expect((await stat(target)).size).toBe(GIB);
  expect(await readdir(cwd)).toEqual(['disk.img']);
  return kills;
}

test(`restores killed ${KILLS} times go on to the right volume (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  for (let kills = 0; kills < KILLS;) kills += await restoreThroughKills(random);
}, 1_800_000);
