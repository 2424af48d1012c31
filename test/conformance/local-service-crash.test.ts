import { EBSClient } from '@aws-sdk/client-ebs';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_LOCAL_CREDENTIALS, LocalEbs, StoreError } from '../../src/local.ts';
import type { SnapshotRecord } from '../../src/local-server/snapshot-record.ts';
import { SnapshotStore } from '../../src/local-server/snapshot-store.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { CrashLoad, type KnownSnapshot, type Server, type Step } from './crash-load.ts';
import { BLOCK_SIZE } from './local-service-client.ts';

const BUILT = fileURLToPath(new URL('../../dist/local.js', import.meta.url));
const REGION = 'us-east-1';
const ROUNDS = Number(process.env.KILL_ROUNDS ?? 6);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const OPENING_MS = 30_000;

/** Where the server dies, in turns; a moment that comes late in a life has been waited for by much else. */
const STEPS: readonly Step[] = [
  'answer Put',
  'ask Put',
  'ask Complete',
  'ask Delete',
  'ask Start',
  'answer Complete',
  'answer Delete',
  'answer Start',
];

/** Turns of the event loop between the step and the end: enough for a call to be anywhere in the server. */
const TURNS_MAX = 300;

test(
  `kill -9 of the server loses and tears nothing that it acknowledged (KILL_SEED=${SEED})`,
  { timeout: OPENING_MS + ROUNDS * 10_000 },
  async () => {
    const directory = await temporaryFolder();
    const random = seededRandom(SEED);
    const load = new CrashLoad();
    const openingMs: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const step = STEPS[round % STEPS.length] ?? 'ask Put';
      const countMax = step.endsWith('Put') ? 60 : 3;
      const moment = {
        step,
        count: 1 + Math.floor(random() * countMax),
        turns: Math.floor(random() * TURNS_MAX),
      };
      const server = await serve(directory);
      await load.run(server, moment);
      await server.ended;
      const since = performance.now();
      const store = await SnapshotStore.open(directory);
      openingMs.push(performance.now() - since);
      try {
        await expectKept(store, load);
      } finally {
        await store.close();
      }
    }
    expect(load.acknowledgedPuts).toBeGreaterThan(ROUNDS);
    if (process.env.KILL_ROUNDS !== undefined) report(load, openingMs);
  },
);

function report({ acknowledgedPuts, snapshots }: CrashLoad, openingMs: readonly number[]): void {
  const slowest = Math.max(...openingMs).toFixed(0);
  process.stdout.write(
    `${openingMs.length} kills, seed ${SEED}: ${snapshots.length} snapshots, ${acknowledgedPuts} Puts acknowledged, ` +
      `none lost or torn; the slowest opening took ${slowest} ms\n`,
  );
}

/** What was acknowledged must be there, what was not asked for must not, and the rest must be one or the other, whole. */
async function expectKept(store: SnapshotStore, load: CrashLoad): Promise<void> {
  await store.settle();
  for (const [token, snapshotId] of load.tokens) {
    const kept = await store.findToken<{ name: string; snapshot: SnapshotRecord }>(REGION, token);
    if (snapshotId !== undefined) expect(kept?.snapshot.snapshotId).toBe(snapshotId);
    else if (kept !== undefined) expect(store.recordOf(kept.snapshot.snapshotId)).toBeDefined();
  }
  for (const known of load.snapshots) {
    const record = store.find(known.snapshotId, REGION)?.record;
    const what = `${known.snapshotId} ${known.completion} ${known.deletion}`;
    if (known.deletion === 'acknowledged') expect(record, what).toBeUndefined();
    if (known.deletion === 'not asked') expect(record, what).toBeDefined();
    if (record === undefined) continue;
    if (known.completion === 'acknowledged') expect(record.seal, what).not.toBeNull();
    if (known.completion === 'not asked') expect(record.seal, what).toBeNull();
    if (record.seal !== null) expect(record.verdict, what).toMatchObject({ outcome: 'good' });
    await expectBlocks(store, known);
  }
}

async function expectBlocks(store: SnapshotStore, { snapshotId, blocks }: KnownSnapshot) {
  const buffer = Buffer.alloc(BLOCK_SIZE);
  for (const [index, { acknowledged, attempted }] of blocks) {
    const block = store.locate(snapshotId, index);
    if (block === undefined) {
      expect(acknowledged, `block ${index}`).toBeUndefined();
      continue;
    }
    await store.readBlock(block, buffer);
    const digest = createHash('sha256').update(buffer).digest('base64');
    expect(digest, `block ${index} is torn`).toBe(block.digest.toString('base64'));
    expect([acknowledged, ...attempted], `block ${index} is lost`).toContain(digest);
  }
}

test('a second server on the folder is refused in one sentence, and may have it afterwards', async () => {
  const directory = await temporaryFolder();
  const server = await serve(directory);
  const refusal = LocalEbs.start({ directory });
  await expect(refusal).rejects.toThrow(`${directory} is in use by another server.`);
  await expect(refusal).rejects.toBeInstanceOf(StoreError);
  server.kill();
  await server.ended;
  await (await LocalEbs.start({ directory })).close();
});

test('a closed service keeps nothing alive: the process ends by itself', async () => {
  const directory = await temporaryFolder();
  const script = `
    const { LocalEbs } = await import(process.argv[1]);
    const ebs = await LocalEbs.start({ directory: process.argv[2] });
    await (await fetch(ebs.endpoint + '/_local/counters')).text();
    await ebs.close();
  `;
  const args = ['--input-type=module', '-e', script, BUILT, directory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  expect(await once(child, 'exit')).toEqual([0, null]);
});

interface ServingProcess extends Server {
  readonly ended: Promise<unknown>;
}

/** Serves a folder from a process of its own. */
async function serve(directory: string): Promise<ServingProcess> {
  const script = `
    const { LocalEbs } = await import(process.argv[1]);
    console.log((await LocalEbs.start({ directory: process.argv[2] })).endpoint);
  `;
  const args = ['--input-type=module', '-e', script, BUILT, directory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [endpoint] = (await once(createInterface(child.stdout), 'line')) as [string];
  const client = new EBSClient({
    endpoint,
    region: REGION,
    credentials: DEFAULT_LOCAL_CREDENTIALS,
    maxAttempts: 1,
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  onTestFinished(() => {
    client.destroy();
    kill();
  });
  return { endpoint, client, ended, kill };
}
