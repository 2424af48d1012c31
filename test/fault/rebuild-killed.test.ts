import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { sha256, toHex } from '../../src/base/digest.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { envOf, startCommand, type RunningCommand } from '../support/command.ts';
import { startLocalService } from '../support/local-service.ts';
import { filledBlock } from '../support/memory-snapshot.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { storeSnapshot } from '../support/stored-snapshot.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const KILLS = Number(process.env.RESUME_KILLS ?? 3);
const SEED = Number(process.env.RESUME_SEED ?? Date.now() % 1_000_000);
const BLOCKS = 200;
/** Blocks in flight at most: what `--memory 4M` holds. */
const WINDOW = 8;

/** The digests that a manifest has by now, by block. */
async function digestsIn(path: string): Promise<Map<number, string>> {
  const digests = new Map<number, string>();
  if (!existsSync(path)) return digests;
  // A run that was killed while it made the file has left zeros.
  const manifest = await Manifest.open(path).catch(() => undefined);
  if (manifest === undefined) return digests;
  for await (const run of manifest.records()) {
    for (const { blockIndex, digest } of run) {
      if (digest !== undefined) digests.set(blockIndex, digest.toString('hex'));
    }
  }
  await manifest.close();
  return digests;
}

test(`a manifest whose building is killed ${KILLS} times reads no block that it has (seed ${SEED})`, async () => {
  const service = await startLocalService();
  const random = seededRandom(SEED);
  const contents = new Map(Array.from({ length: BLOCKS }, (_, i) => [3 * i, i % 256] as const));
  const snapshotId = await storeSnapshot(service.client, contents);
  const cwd = await temporaryFolder();
  const path = join(cwd, 'base.manifest');
  const gets = (): number => service.ebs.counters().byOperation.GetSnapshotBlock ?? 0;
  const run = (): RunningCommand => {
    const flags = ['--output', path, '--resume', '--memory', '4M', '--max-rate', '48M'];
    const env = envOf(service.ebs);
    const command = startCommand(['manifest', snapshotId, ...flags], { cwd, env });
    onTestFinished(() => void command.child.kill('SIGKILL'));
    return command;
  };
  let kills = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const { child, result } = run();
    const until = gets() + Math.floor((random() * 2 * BLOCKS) / KILLS);
    const hasEnded = (): boolean => child.exitCode !== null;
    while (gets() < until && !hasEnded()) await turn();
    if (child.kill('SIGKILL') && !hasEnded()) kills += 1;
    await result;
    // Requests of the dead are served to their end, and are not the next run's.
    await expect.poll(() => service.ebs.counters().inFlight).toBe(0);
    const known = await digestsIn(path);
    const before = service.ebs.history().length;
    const next = run();
    while (gets() < until + WINDOW && next.child.exitCode === null) await turn();
    if (next.child.kill('SIGKILL') && next.child.exitCode === null) kills += 1;
    await next.result;
    await expect.poll(() => service.ebs.counters().inFlight).toBe(0);
    const again = service.ebs.history().slice(before);
    const twice = again.filter(({ blockIndex = -1 }) => known.has(blockIndex));
    expect(twice).toEqual([]);
  }
  const { exitCode, stdout, stderr } = await run().result;
  expect({ exitCode, stdout, stderr }).toMatchObject({ exitCode: 0, stdout: '' });
  const expected = [...contents].map(([index, byte]) => {
    return [index, toHex(sha256(filledBlock(byte)))] as const;
  });
  expect(await digestsIn(path)).toEqual(new Map(expected));
  expect(gets()).toBeLessThanOrEqual(BLOCKS + WINDOW * kills);
}, 300_000);
