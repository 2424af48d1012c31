import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent, type ClientRequestArgs } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { EBSClient } from '@aws-sdk/client-ebs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { BLOCK_SIZE, BlockReader, SnapshotWriter, type Block } from '../../src/index.ts';
import { diskOf, expectedPuts } from '../support/disk-content.ts';
import { HeldPuts } from '../support/held-puts.ts';
import type { LocalEbs } from '../../src/local.ts';
import { startLocalService } from '../support/local-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BUDGET_BLOCKS = 4;
const BUDGET_BYTES = BUDGET_BLOCKS * BLOCK_SIZE;

describe('a block that its owner releases while it waits to be sent', () => {
  it.each(['native', 'js'] as const)('arrives as it was read, by the %s engine', async (engine) => {
    const disk = diskOf('dddddddddddd');
    const path = await fileOf(disk);
    const service = await startLocalService();
    const puts = new HeldPuts(service.client);
    const writer = new SnapshotWriter({
      client: service.client,
      params: { VolumeSize: 1 },
      engine,
      maxInFlightBytes: BUDGET_BYTES,
    });
    const reader = new BlockReader(path, { engine, maxBufferBytes: BUDGET_BYTES });
    onTestFinished(() => void reader.destroy());
    const blocks = reader[Symbol.asyncIterator]() as AsyncIterator<Block, undefined>;
    const early: Block[] = [];
    while (early.length < BUDGET_BLOCKS) {
      const { value } = await blocks.next();
      if (value !== undefined) writer.write(value);
      if (value !== undefined) early.push(value);
    }
    await expect.poll(() => puts.heldCount).toBe(BUDGET_BLOCKS);
    for (const block of early) block.release();
    // Long enough for the reader to fill the buffers anew, if it could: the whole of the disk is read beside it.
    await readWhole(path, engine);
    puts.open();
    for (let next = await blocks.next(); next.done !== true; next = await blocks.next()) {
      writer.write(next.value);
    }
    writer.end();
    expect(await writer.done()).toMatchObject({ changedBlocksCount: 12, retries: 0 });
    expect(service.acknowledgedPuts()).toEqual(expectedPuts(disk).sort(byIndex));
  });

  it('is refused when it was released before it was written', async () => {
    const { client, ebs } = await startLocalService();
    const writer = new SnapshotWriter({ client, params: { VolumeSize: 1 } });
    writer.on('error', () => undefined);
    const reader = new BlockReader(await fileOf(diskOf('d')));
    for await (const block of reader as AsyncIterable<Block>) {
      block.release();
      writer.end(block);
    }
    await expect(writer.done()).rejects.toThrow('The block was released before it was used');
    expect(ebs.counters().byOperation.PutSnapshotBlock).toBeUndefined();
  });
});

it('a block is released after the socket that carried it is destroyed', async () => {
  const { ebs } = await startLocalService();
  const puts = await startDeafServer();
  const agent = new DivertingAgent();
  const writer = new SnapshotWriter({ client: clientOf(ebs, agent), params: { VolumeSize: 1 } });
  writer.on('error', () => undefined);
  writer.on('snapshot', () => (agent.divertTo = puts));
  const socketsAtRelease: string[] = [];
  for (let index = 0; index < 8; index += 1) {
    const data = Buffer.alloc(BLOCK_SIZE, index + 1);
    const release = (): void => {
      socketsAtRelease.push(agent.diverted.every(({ destroyed }) => destroyed) ? 'gone' : 'there');
    };
    writer.write({ index, data, digest: sha256(data), release });
  }
  const withUnsentBytes = (): Socket[] =>
    agent.diverted.filter(({ writableLength }) => writableLength > 0);
  await expect.poll(() => withUnsentBytes().length).toBe(8);
  expect(socketsAtRelease).toEqual([]);
  writer.destroy();
  await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
  expect(socketsAtRelease).toEqual(Array(8).fill('gone'));
});

it('a block whose answer comes too early is released after its socket is destroyed', async () => {
  const { ebs } = await startLocalService();
  const answer =
    'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
  const agent = new DivertingAgent();
  const writer = new SnapshotWriter({ client: clientOf(ebs, agent), params: { VolumeSize: 1 } });
  writer.on('error', () => undefined);
  const hasty = await startDeafServer((socket) => socket.write(answer));
  writer.on('snapshot', () => (agent.divertTo = hasty));
  const released = new Promise<string>((resolve) => {
    const data = Buffer.alloc(BLOCK_SIZE, 1);
    const release = (): void => resolve(agent.diverted[0]?.destroyed === true ? 'gone' : 'there');
    writer.write({ index: 0, data, digest: sha256(data), release });
  });
  expect(await released).toBe('gone');
  writer.destroy();
  await expect(writer.done()).rejects.toMatchObject({ name: 'AbortError' });
});

function clientOf({ endpoint, region, credentials }: LocalEbs, httpAgent: Agent): EBSClient {
  const client = new EBSClient({ endpoint, region, credentials, requestHandler: { httpAgent } });
  onTestFinished(() => client.destroy());
  return client;
}

/** Sends the requests that come after it was told so elsewhere. */
class DivertingAgent extends Agent {
  readonly diverted: Socket[] = [];
  /** Path of a socket of the system. */
  divertTo: string | undefined;

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    if (this.divertTo === undefined) return super.createConnection(options, callback);
    const socket = connect(this.divertTo);
    this.diverted.push(socket);
    return socket;
  }
}

/** Listens on a socket of the system, which takes in less than a block, and reads nothing. Returns its path. */
async function startDeafServer(greet: (socket: Socket) => void = () => undefined): Promise<string> {
  const path = join(await temporaryFolder(), 'socket');
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    accepted.push(socket);
    greet(socket);
  });
  await once(server.listen(path), 'listening');
  onTestFinished(async () => {
    for (const socket of accepted) socket.destroy();
    await once(server.close(), 'close');
  });
  return path;
}

async function fileOf(content: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'disk.img');
  await writeFile(path, content);
  return path;
}

async function readWhole(path: string, engine: 'native' | 'js'): Promise<void> {
  const reader = new BlockReader(path, { engine, maxBufferBytes: BUDGET_BYTES });
  for await (const block of reader as AsyncIterable<Block>) block.release();
}

function byIndex(a: string, b: string): number {
  return parseInt(a) - parseInt(b);
}
