import { EBSClient, PutSnapshotBlockCommand, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_LOCAL_CREDENTIALS, LocalEbs, StoreError } from '../../src/local.ts';
import { SnapshotStore } from '../../src/local-server/snapshot-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { BLOCK_SIZE } from './local-service-client.ts';

const BUILT = fileURLToPath(new URL('../../dist/local.js', import.meta.url));
const ROUNDS = 6;
const WRITERS = 8;
const INDICES = 24;

/** What the client knows of one block: the digest acknowledged last, and those asked for since without an answer. */
interface Knowledge {
  acknowledged?: string;
  attempted: Set<string>;
}

test('kill -9 of the server loses and tears no acknowledged block, also of those written over', async () => {
  const directory = await temporaryFolder();
  const known = new Map<number, Knowledge>();
  let snapshotId: string | undefined;
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = await serve(directory);
    const { client } = server;
    snapshotId ??= (await client.send(new StartSnapshotCommand({ VolumeSize: 1 }))).SnapshotId;
    const target = acknowledged + 20 + round;
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let n = 0; ; n += 1) {
        // Each writer has indices of its own: the order of two writes in flight to one block would be open.
        const index = ((n * WRITERS) % INDICES) + writer;
        const block = Buffer.alloc(BLOCK_SIZE, `${round} ${writer} ${n}`);
        const digest = createHash('sha256').update(block).digest('base64');
        const knowledge = known.get(index) ?? { attempted: new Set() };
        known.set(index, knowledge);
        knowledge.attempted.add(digest);
        await client.send(
          new PutSnapshotBlockCommand({
            SnapshotId: snapshotId,
            BlockIndex: index,
            BlockData: block,
            DataLength: BLOCK_SIZE,
            Checksum: digest,
            ChecksumAlgorithm: 'SHA256',
          }),
        );
        known.set(index, { acknowledged: digest, attempted: new Set() });
        acknowledged += 1;
        if (acknowledged === target) server.kill();
      }
    });
    await Promise.allSettled(writers);
    await server.ended;
  }

  const store = await SnapshotStore.open(directory);
  const buffer = Buffer.alloc(BLOCK_SIZE);
  for (const [index, { acknowledged: last, attempted }] of known) {
    const block = store.locate(String(snapshotId), index);
    if (block === undefined) {
      expect(last, `block ${index}`).toBeUndefined();
      continue;
    }
    await store.readBlock(block, buffer);
    const digest = createHash('sha256').update(buffer).digest('base64');
    expect(digest, `block ${index} is torn`).toBe(block.digest.toString('base64'));
    expect([last, ...attempted], `block ${index} is lost`).toContain(digest);
  }
  await store.close();
  expect(acknowledged).toBeGreaterThanOrEqual(ROUNDS * 20);
});

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

interface ServingProcess {
  readonly client: EBSClient;
  readonly ended: Promise<unknown>;
  kill(): void;
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
    region: 'us-east-1',
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
  return { client, ended, kill };
}
