import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BLOCK_SIZE, startSnapshot, verifySnapshot } from '../../src/index.ts';
import type { RequestRecord } from '../../src/local.ts';
import { envOf, runCommand, startCommand } from '../support/command.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const { jain } = (await import(new URL('../../bench/macro/steady.js', import.meta.url).href)) as {
  jain: (shares: readonly number[]) => number;
};

const PROCESSES = 8;
/** Whether shares are judged, which takes a run of many cuts of the law: `npm run test:parts`. */
const JUDGES_SHARES = process.env.PARTS_SHARES === 'judged';
const VOLUME_GIB = JUDGES_SHARES ? 6 : 1;
const PART_BLOCKS = (VOLUME_GIB * 2048) / PROCESSES;
/** Blocks of each part that are data. */
const DATA_BLOCKS = JUDGES_SHARES ? PART_BLOCKS : 48;
/** Requests a second that all have together: what two processor cores carry, and in the short run more than a moment's. */
const QUOTA_PER_SECOND = JUDGES_SHARES ? 400 : 120;
const FAIRNESS_MIN = 0.95;

/** A sparse disk whose data blocks begin with their index. */
async function makeDisk(path: string): Promise<void> {
  await using disk = await open(path, 'w');
  await disk.truncate(VOLUME_GIB * 2048 * BLOCK_SIZE);
  for (let part = 0; part < PROCESSES; part += 1) {
    for (let at = 0; at < DATA_BLOCKS; at += 1) {
      const index = part * PART_BLOCKS + at;
      await disk.write(`block ${index}`, index * BLOCK_SIZE);
    }
  }
}

/** The Puts of each part that were acknowledged, in the order of their answers. */
function acknowledgedByPart({ ebs }: LocalService): RequestRecord[][] {
  const parts = Array.from({ length: PROCESSES }, (): RequestRecord[] => []);
  for (const record of ebs.history()) {
    const { operation, status, blockIndex = 0 } = record;
    if (operation !== 'PutSnapshotBlock' || status !== 201) continue;
    parts[Math.floor(blockIndex / PART_BLOCKS)]?.push(record);
  }
  return parts;
}

interface Shares {
  readonly shares: number[];
  readonly seconds: number;
}

/** What each part got while all of them were at work, without a first part of that time, and for how many seconds that was. */
function sharesOf(parts: readonly RequestRecord[][], { skipped = 0 } = {}): Shares {
  const beginMs = Math.max(...parts.map((puts) => puts[0]?.startedAtMs ?? Infinity));
  const toMs = Math.min(...parts.map((puts) => puts.at(-1)?.endedAtMs ?? 0));
  const fromMs = beginMs + skipped * (toMs - beginMs);
  const isWithin = ({ endedAtMs }: RequestRecord): boolean =>
    endedAtMs >= fromMs && endedAtMs <= toMs;
  const shares = parts.map((puts) => puts.filter(isWithin).length);
  return { shares, seconds: (toMs - fromMs) / 1000 };
}

test('eight processes upload one volume against one quota', async () => {
  const rate = QUOTA_PER_SECOND;
  const quotas = { snapshot: { PutSnapshotBlock: { rate, depth: rate / 10 } } };
  const service = await startLocalService({ hostility: { quotas }, historyLimit: 100_000 });
  const where = { cwd: await temporaryFolder(), env: envOf(service.ebs) };
  const source = join(where.cwd, 'disk.img');
  await makeDisk(source);
  const { client } = service;
  const params = { VolumeSize: VOLUME_GIB };
  const { SnapshotId: snapshotId } = await startSnapshot({ client, params });

  const manifests = Array.from({ length: PROCESSES }, (_, part) => `part-${part}`);
  const uploads = manifests.map((manifest, part) => {
    const range = `${part * PART_BLOCKS}:${(part + 1) * PART_BLOCKS - 1}`;
    const which = ['--snapshot-id', snapshotId, '--range', range, '--manifest', manifest];
    const upload = startCommand(['upload', 'disk.img', ...which, '--zero-blocks', 'omit'], where);
    onTestFinished(() => void upload.child.kill('SIGKILL'));
    return upload.result;
  });
  for (const upload of await Promise.all(uploads)) expect(upload).toMatchObject({ exitCode: 0 });
  const completed = await runCommand(['complete', snapshotId, '--manifest', ...manifests], where);
  expect(completed).toMatchObject({ exitCode: 0, stdout: `${snapshotId}\n` });
  const verified = await verifySnapshot({ client, snapshotId, source });
  expect(verified).toMatchObject({ isEqual: true });

  const parts = acknowledgedByPart(service);
  expect(parts.map((puts) => puts.length)).toEqual(parts.map(() => DATA_BLOCKS));
  // All of them met the quota: it was this that they shared.
  expect(service.ebs.counters().byStatus[400]).toBeGreaterThan(0);
  if (!JUDGES_SHARES) return;
  const { shares, seconds } = sharesOf(parts);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const secondHalf = sharesOf(parts, { skipped: 0.5 }).shares;
  const figures = `${shares.join(' ')} in ${seconds.toFixed(1)} s: ${(total / seconds).toFixed(0)}/s of ${rate}, Jain's index ${jain(shares).toFixed(3)}, of the second half ${jain(secondHalf).toFixed(3)}`;
  process.stdout.write(`${figures}\n`);
  expect(jain(shares), figures).toBeGreaterThanOrEqual(FAIRNESS_MIN);
}, 240_000);
