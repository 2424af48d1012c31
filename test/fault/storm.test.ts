import { readdir } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { RawConnection } from '../support/raw-connection.ts';
import { seededRandom } from '../support/seeded-random.ts';
import {
  CAN_WATCH_PROCESSES,
  openDescriptors,
  peakResidentBytes,
  startServe,
  type ServeProcess,
} from '../support/serve-process.ts';
import { signedHead } from '../support/sign-request.ts';
import {
  GARBAGE,
  OPERATIONS,
  OPERATIONS_WITH_ID,
  signedRequest,
  WICKED_BODIES,
  WICKED_IDS,
  WRONG_MEMBERS,
} from './garbage.ts';

const REQUESTS = Number(process.env.STORM_REQUESTS ?? 1500);
const SEED = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);
const CLIENTS = 32;
const IDLE_CONNECTIONS = 2000;
const MIB = 1_048_576;
/** The block buffers are 64 MiB, Node with the service about 80; small bodies and sockets come on top. */
const PEAK_BYTES_MAX = 320 * MIB;

type Random = () => number;

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

/** Bytes of one request, or of what was one before it was broken. */
function makeBytes(random: Random, endpoint: string): Buffer {
  const kind = random();
  if (kind < 0.25) return Buffer.from(pick(random, GARBAGE).bytes, 'latin1');
  if (kind < 0.3) return noise(random, 1 + Math.floor(random() * 20_000));
  const whole = makeSigned(random, endpoint);
  return kind < 0.6 ? whole : breakBytes(random, whole);
}

function makeSigned(random: Random, endpoint: string): Buffer {
  const kind = random();
  if (kind < 0.3) {
    const operation = pick(random, OPERATIONS_WITH_ID)(pick(random, WICKED_IDS));
    return signedRequest(endpoint, operation, noise(random, Math.floor(random() * 1000)));
  }
  if (kind < 0.7) {
    const [, body] = pick(random, WICKED_BODIES);
    const text = random() < 0.5 ? body : pick(random, WRONG_MEMBERS);
    return signedRequest(endpoint, pick(random, OPERATIONS), Buffer.from(text, 'latin1'));
  }
  const size = Math.floor(random() * 600_000);
  return signedRequest(endpoint, pick(random, OPERATIONS), Buffer.alloc(size, 1));
}

/** Flips, cuts, doubles or swaps some bytes. */
function breakBytes(random: Random, bytes: Buffer): Buffer {
  const at = Math.floor(random() * Math.min(bytes.length, 2000));
  const length = Math.floor(random() * 50);
  const [before, middle, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  const kind = Math.floor(random() * 4);
  if (kind === 0) return Buffer.concat([before, noise(random, length), after]);
  if (kind === 1) return Buffer.concat([before, after]);
  if (kind === 2) return Buffer.concat([before, middle, middle, after]);
  return before;
}

function noise(random: Random, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));
}

/** Talks nonsense over one connection and leaves in one of several ways. */
async function misbehave(random: Random, endpoint: string): Promise<void> {
  const count = random() < 0.2 ? 1 + Math.floor(random() * 8) : 1;
  const manner = random();
  const connection = await RawConnection.open(endpoint);
  for (let i = 0; i < count; i += 1) connection.send(makeBytes(random, endpoint));
  if (manner < 0.2) {
    connection.leave(true);
    return;
  }
  // Who sends no more gets an answer or is hung up on, whatever was sent.
  connection.finish();
  if (manner < 0.8) await connection.ended();
  connection.leave(manner < 0.5);
}

async function isAnswering(endpoint: string): Promise<boolean> {
  const head = signedHead(endpoint, { method: 'GET', url: '/', service: 's3' });
  const connection = (await RawConnection.open(endpoint)).send(head);
  const statuses = await connection.answers(1);
  connection.leave();
  return statuses[0] === 200;
}

async function storm({ endpoint }: ServeProcess): Promise<void> {
  const random = seededRandom(SEED);
  let left = REQUESTS;
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await misbehave(random, endpoint);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

test.runIf(CAN_WATCH_PROCESSES)(
  `a storm of ${REQUESTS} bad requests, seed ${SEED}`,
  async () => {
    const serve = await startServe();
    const { endpoint, pid, parent } = serve;
    expect(await isAnswering(endpoint)).toBe(true);
    const descriptors = await openDescriptors(pid);
    await storm(serve);
    const idle = await Promise.all(
      Array.from({ length: IDLE_CONNECTIONS }, () => RawConnection.open(endpoint)),
    );
    expect(await isAnswering(endpoint)).toBe(true);
    for (const connection of idle) connection.leave();
    await vi.waitFor(
      async () => expect(await openDescriptors(pid)).toBeLessThanOrEqual(descriptors),
      {
        timeout: 20_000,
      },
    );
    expect(await isAnswering(endpoint)).toBe(true);
    const peak = await peakResidentBytes(pid);
    expect(peak).toBeLessThan(PEAK_BYTES_MAX);
    expect(await readdir(parent)).toEqual(['data']);
    expect((await readdir(serve.data)).sort()).toEqual(['ebs-local.json', 'metadata', 'volumes']);
    const { exitCode, stderr } = await serve.stop();
    expect(exitCode).toBe(0);
    // A rejection that nobody handles, or a warning of Node, would be one line more. A note that the addon was not built
    // is about something else.
    const lines = stderr.split('\n').filter((line) => line !== '' && !line.includes('engine'));
    expect(lines).toEqual([
      expect.stringContaining('knows the default access key local') as string,
      'SIGTERM: stopping',
    ]);
    if (process.env.STORM_REQUESTS !== undefined) {
      process.stdout.write(`peak ${(peak / MIB).toFixed(0)} MiB, seed ${SEED}\n`);
    }
  },
  600_000,
);
