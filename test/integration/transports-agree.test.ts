import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { EBSClient } from '@aws-sdk/client-ebs';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { sha256, toBase64 } from '../../src/base/digest.ts';
import { HttpTransport } from '../../src/transport/http-transport.ts';
import { SdkTransport } from '../../src/transport/sdk-transport.ts';
import type { BlockPage, Transport } from '../../src/transport/transport.ts';
import { startLocalService } from '../support/local-service.ts';
import { seededRandom } from '../support/seeded-random.ts';

/** The headers that carry meaning; the rest are dates, signatures and names of software. */
const HEADERS = [
  'content-type',
  'content-length',
  'transfer-encoding',
  'x-amz-changedblockscount',
  'x-amz-checksum',
  'x-amz-checksum-aggregation-method',
  'x-amz-checksum-algorithm',
  'x-amz-content-sha256',
  'x-amz-data-length',
  'x-amz-security-token',
];

/** Notes every request that a server in this process takes, as it came over the wire. */
function watchRequests(): string[] {
  const seen: string[] = [];
  const onRequest = (message: unknown): void => {
    const { method, url, headers } = (message as { request: IncomingMessage }).request;
    const kept = HEADERS.filter((name) => headers[name] !== undefined).map(
      (name) => `${name}: ${String(headers[name])}`,
    );
    seen.push([`${method ?? ''} ${url ?? ''}`, ...kept].join('\n'));
  };
  subscribe('http.server.request.start', onRequest);
  onTestFinished(() => void unsubscribe('http.server.request.start', onRequest));
  return seen;
}

/** What a call came to, errors included, so that it can be compared. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    const { name, message, code, retryClass, statusCode, serviceCode, reason } = error as Record<
      string,
      unknown
    >;
    return { name, message, code, retryClass, statusCode, serviceCode, reason };
  }
}

/** Start, puts in random order with repeats, lists, reads, refusals of each kind, Complete: all drawn from the seed. */
async function operate(transport: Transport, seed: number): Promise<unknown[]> {
  const random = seededRandom(seed);
  const pick = (limit: number): number => Math.floor(random() * limit);
  const results: unknown[] = [];
  const note = async <T>(call: Promise<T>): Promise<T | undefined> => {
    results.push(await outcome(call));
    return call.catch(() => undefined);
  };
  const started = await transport.startSnapshot({
    VolumeSize: 1 + pick(3),
    Description: `seed ${seed}, “quoted”`,
    ClientToken: `token-${seed}`,
    ...(pick(2) === 0 ? {} : { Tags: [{ Key: 'k', Value: `v${pick(9)}` }], Timeout: 600 }),
  });
  const { StartTime, ...rest } = started;
  results.push({ ...rest, hasTime: StartTime instanceof Date });
  const snapshotId = started.SnapshotId;

  const digests = new Map<number, Uint8Array>();
  for (let i = 0; i < 12; i += 1) {
    const blockIndex = pick(10) * pick(200);
    const data = Buffer.alloc(BLOCK_SIZE, pick(256));
    const digest = sha256(data);
    digests.set(blockIndex, digest);
    await note(transport.putSnapshotBlock({ snapshotId, blockIndex, data, digest }));
  }
  const data = Buffer.alloc(BLOCK_SIZE, 1);
  const unlike = { snapshotId, blockIndex: 1, data, digest: sha256(Buffer.alloc(1)) };
  await note(transport.putSnapshotBlock(unlike));
  const outside = { snapshotId, blockIndex: 9_999_999, data, digest: sha256(data) };
  await note(transport.putSnapshotBlock(outside));
  await note(transport.putSnapshotBlock({ ...outside, snapshotId: 'snap-0ffffffffffffffff' }));
  await note(transport.listSnapshotBlocks({ snapshotId }));

  const inOrder = [...digests].sort(([a], [b]) => a - b).map(([, digest]) => digest);
  const complete = {
    snapshotId,
    changedBlocksCount: digests.size,
    aggregateDigest: sha256(Buffer.concat(inOrder)),
  };
  await note(transport.completeSnapshot({ ...complete, changedBlocksCount: -1 }));
  await note(transport.completeSnapshot(complete));
  await expect.poll(() => transport.completeSnapshot(complete)).toBe('completed');

  const startingBlockIndex = pick(300);
  const page = await note<BlockPage>(
    transport.listSnapshotBlocks({ snapshotId, startingBlockIndex }),
  );
  for (const block of page?.blocks ?? []) {
    const read = await transport.getSnapshotBlock({ snapshotId, ...block });
    results.push([toBase64(sha256(read.data)), toBase64(read.digest)]);
  }
  await note(transport.getSnapshotBlock({ snapshotId, blockIndex: 3, blockToken: 'a+/= ~*(é' }));
  await note(transport.listSnapshotBlocks({ snapshotId, pageToken: 'nonsense/+=&x' }));
  const itself = { firstSnapshotId: snapshotId, secondSnapshotId: snapshotId };
  const changes = await note(transport.listChangedBlocks(itself));
  await note(transport.listChangedBlocks({ ...itself, pageToken: changes?.nextPageToken ?? '' }));
  await note(transport.listChangedBlocks({ ...itself, pageToken: 'nonsense/+=&x' }));
  await note(transport.deleteSnapshot({ snapshotId }));
  await note(transport.deleteSnapshot({ snapshotId }));
  return results;
}

/** Runs the operations against a service of their own, and writes ids and tokens as the words that they are. */
async function runThrough(make: (client: EBSClient) => Transport, seed: number): Promise<unknown> {
  const { client, ebs } = await startLocalService();
  const requests = watchRequests();
  const transport = make(client);
  const results = await operate(transport, seed);
  await transport.close();
  const wire = requests
    // How often the state is asked for depends on time alone.
    .filter((request, i) => !(request.includes('/completion/') && request === requests[i - 1]))
    // The body of an EC2 call holds the snapshot's id, so its hash is another each time.
    .map((request) => request.replace(/^(POST \/\n.*)x-amz-content-sha256: \w+/s, '$1'))
    .map((request) => request.replaceAll(/(blockToken|pageToken)=[\w-]{60,}/g, '$1=TOKEN'));
  const stored = ebs
    .history()
    .filter(({ operation }) => operation !== 'CompleteSnapshot')
    .map(({ operation, status, blockIndex, digest }) => ({
      operation,
      status,
      blockIndex,
      digest,
    }));
  const text = JSON.stringify({ results, wire, stored }, (key, value: unknown) =>
    key === 'blockToken' || key === 'nextPageToken' ? 'TOKEN' : value,
  );
  const [snapshotId = ''] = /snap-0(?!f{16})[0-9a-f]{16}/.exec(text) ?? [];
  return JSON.parse(text.replaceAll(snapshotId, 'SNAPSHOT')) as unknown;
}

test.each([1, 2, 3])('both transports say and get the same (seed %i)', async (seed) => {
  const lean = await runThrough((c) => new HttpTransport(c, { ownsClient: false }), seed);
  const sdk = await runThrough((c) => new SdkTransport(c, { ownsClient: false }), seed);
  expect(lean).toEqual(sdk);
  expect(lean).toMatchObject({
    wire: expect.arrayContaining([
      expect.stringMatching(/^PUT \/snapshots\/SNAPSHOT\/blocks\/\d+\n/) as string,
    ]) as string[],
  });
});
