import type { EBSClient } from '@aws-sdk/client-ebs';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { sha256 } from '../../src/base/digest.ts';
import type { SnapshotError } from '../../src/base/errors.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { startLocalService } from '../support/local-service.ts';
import { clientOf, httpAnswer, startRawServer, type RawRequest } from '../support/raw-server.ts';
import { REFUSALS } from './transport-refusals.ts';

const SNAPSHOT = 'snap-0123456789abcdef0';
const STORED = httpAnswer('201 Created', '{}');
/** More than the kernel takes of a body that nobody reads. */
const UNREAD_SIZE = 32 * 1024 * 1024;
const STALE = 0xee;

function block(fill: number, size = BLOCK_SIZE): { data: Buffer; digest: Uint8Array } {
  const data = Buffer.alloc(size, fill);
  return { data, digest: sha256(data) };
}

function put(blockIndex: number, size?: number) {
  return { snapshotId: SNAPSHOT, blockIndex, ...block(blockIndex + 1, size) };
}

/** What callers may rely on in an error, whichever transport it came through. */
function facts(error: unknown): Record<string, unknown> {
  const { name, message, code, snapshotId, blockIndex, requestId, retryClass } =
    error as SnapshotError & { code: string };
  const { statusCode, serviceCode, reason, serviceMessage, scope } = error as Record<
    string,
    unknown
  >;
  return {
    ...{ name, message, code, snapshotId, blockIndex, requestId, retryClass },
    ...{ statusCode, serviceCode, reason, serviceMessage, scope },
  };
}

/** Proves that a transport does what its interface says, on the local service and on servers that misbehave. */
export function describeTransport(name: string, make: (client: EBSClient) => Transport): void {
  const open = (client: EBSClient): Transport => {
    const transport = make(client);
    onTestFinished(() => transport.close());
    return transport;
  };

  describe(`the ${name} transport`, () => {
    test('writes a snapshot and reads it back', async () => {
      const { client, ebs } = await startLocalService();
      const transport = open(client);
      const started = await transport.startSnapshot({
        VolumeSize: 1,
        Description: 'Grüße, 世界',
        Tags: [{ Key: 'a b', Value: 'c+d/é' }],
        ClientToken: 'token-1',
      });
      expect(started).toEqual({
        SnapshotId: expect.stringMatching(/^snap-[0-9a-f]{17}$/) as string,
        BlockSize: BLOCK_SIZE,
        Description: 'Grüße, 世界',
        OwnerId: '111122223333',
        StartTime: expect.any(Date) as Date,
        Status: 'pending',
        Tags: [{ Key: 'a b', Value: 'c+d/é' }],
        VolumeSize: 1,
      });
      const snapshotId = started.SnapshotId;
      const blocks = new Map([7, 0, 2047].map((index) => [index, block(index % 251)]));
      for (const [blockIndex, content] of blocks) {
        await transport.putSnapshotBlock({ snapshotId, blockIndex, ...content });
      }
      const digests = [0, 7, 2047].map((index) => blocks.get(index)?.digest ?? new Uint8Array());
      const request = {
        snapshotId,
        changedBlocksCount: 3,
        aggregateDigest: sha256(Buffer.concat(digests)),
      };
      expect(await transport.completeSnapshot(request)).toBe('pending');
      await ebs.settle();
      expect(await transport.completeSnapshot(request)).toBe('completed');

      const page = await transport.listSnapshotBlocks({ snapshotId, startingBlockIndex: 5 });
      expect(page.volumeSizeGiB).toBe(1);
      expect(page.nextPageToken).toBeUndefined();
      expect(page.blocks.map(({ blockIndex }) => blockIndex)).toEqual([7, 2047]);
      for (const { blockIndex, blockToken } of page.blocks) {
        const read = await transport.getSnapshotBlock({ snapshotId, blockIndex, blockToken });
        expect(Buffer.compare(read.data, blocks.get(blockIndex)?.data ?? Buffer.alloc(0))).toBe(0);
        expect(Buffer.compare(read.digest, sha256(read.data))).toBe(0);
      }
      await expect(transport.describeSnapshot({ snapshotId })).resolves.toEqual({
        status: 'completed',
        statusMessage: '',
        volumeSizeGiB: 1,
        isEncrypted: false,
        startTime: expect.any(Date) as Date,
        fullSizeBytes: blocks.size * BLOCK_SIZE,
      });
      await transport.deleteSnapshot({ snapshotId });
      await expect(transport.describeSnapshot({ snapshotId })).rejects.toMatchObject({
        serviceCode: 'InvalidSnapshot.NotFound',
        statusCode: 400,
      });
      await expect(transport.deleteSnapshot({ snapshotId })).rejects.toMatchObject({
        code: 'ERR_EBS_SERVICE',
        serviceCode: 'InvalidSnapshot.NotFound',
        statusCode: 400,
      });
      await expect(transport.listSnapshotBlocks({ snapshotId })).rejects.toMatchObject({
        serviceCode: 'ResourceNotFoundException',
        retryClass: 'visibility',
      });
    });

    test('pages through a long listing, and resumes at a token', async () => {
      const pages = [
        { Blocks: [{ BlockIndex: 1, BlockToken: 'a+/=' }], NextToken: 'x+/=&y z', VolumeSize: 2 },
        { Blocks: [], NextToken: null, VolumeSize: 2 },
      ];
      const server = await startRawServer({
        onRequest: ({ socket }) =>
          socket.write(httpAnswer('200 OK', JSON.stringify(pages.shift()))),
      });
      const transport = open(clientOf(server.endpoint));
      const first = await transport.listSnapshotBlocks({ snapshotId: SNAPSHOT });
      expect(first).toEqual({
        volumeSizeGiB: 2,
        blocks: [{ blockIndex: 1, blockToken: 'a+/=' }],
        nextPageToken: 'x+/=&y z',
      });
      const { nextPageToken: pageToken = '' } = first;
      expect(await transport.listSnapshotBlocks({ snapshotId: SNAPSHOT, pageToken })).toEqual({
        volumeSizeGiB: 2,
        blocks: [],
      });
      expect(server.requests.map(({ head }) => head.split('\r\n')[0])).toEqual([
        `GET /snapshots/${SNAPSHOT}/blocks?maxResults=10000 HTTP/1.1`,
        `GET /snapshots/${SNAPSHOT}/blocks?maxResults=10000&pageToken=x%2B%2F%3D%26y%20z HTTP/1.1`,
      ]);
    });

    test.each(REFUSALS)('tells $name', async ({ answer, expected }) => {
      const server = await startRawServer({ onRequest: ({ socket }) => socket.end(answer) });
      const error: unknown = await open(clientOf(server.endpoint))
        .putSnapshotBlock(put(3))
        .catch((thrown: unknown) => thrown);
      expect(facts(error)).toMatchObject({
        snapshotId: SNAPSHOT,
        blockIndex: 3,
        ...expected,
        message: expect.stringContaining('PutSnapshotBlock of block 3 in snap-') as string,
      });
      expect(server.requests).toHaveLength(1);
    });

    const LOST = { name: 'TransportError', code: 'ERR_EBS_TRANSPORT', retryClass: 'transient' };

    test.each<[string, (request: RawRequest) => void]>([
      ['a reset instead of an answer', ({ socket }) => socket.resetAndDestroy()],
      ['an end instead of an answer', ({ socket }) => socket.end()],
      ['half a head', ({ socket }) => socket.end('HTTP/1.1 200')],
      ['half a body', ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{')],
      ['what is not HTTP', ({ socket }) => socket.end('SSH-2.0-OpenSSH\r\n\r\n')],
      ['success that is not JSON', ({ socket }) => socket.end(httpAnswer('200 OK', '<html>'))],
    ])('takes %s for a lost connection', async (_name, onRequest) => {
      const server = await startRawServer({ onRequest });
      const transport = open(clientOf(server.endpoint));
      await expect(transport.completeSnapshot(complete())).rejects.toMatchObject(LOST);
      expect(server.requests).toHaveLength(1);
    });

    test('takes a refused connection for a lost one', async () => {
      const server = await startRawServer({ onRequest: () => undefined });
      const transport = open(clientOf(`http://127.0.0.1:${server.port}0`.replace(/\d+$/, '1')));
      await expect(transport.putSnapshotBlock(put(0))).rejects.toMatchObject({
        ...LOST,
        cause: expect.objectContaining({ code: 'ECONNREFUSED' }) as Error,
      });
    });

    test('takes a block that is too short for a lost one', async () => {
      const server = await startRawServer({
        onRequest: ({ socket }) => socket.write(httpAnswer('200 OK', 'abc')),
      });
      const get = { snapshotId: SNAPSHOT, blockIndex: 4, blockToken: 't' };
      await expect(open(clientOf(server.endpoint)).getSnapshotBlock(get)).rejects.toMatchObject({
        ...LOST,
        blockIndex: 4,
      });
    });

    test('uses a connection again, and not one that is to be closed', async () => {
      const server = await startRawServer({
        onRequest: ({ socket, connection }) =>
          socket.write(
            connection === 0 ? STORED : httpAnswer('201 Created', '{}', { Connection: 'close' }),
          ),
      });
      const transport = open(clientOf(server.endpoint));
      for (const index of [0, 1]) await transport.putSnapshotBlock(put(index));
      expect(server.connectionCount()).toBe(1);
      await Promise.all([2, 3].map((index) => transport.putSnapshotBlock(put(index))));
      expect(server.connectionCount()).toBe(2);
      await Promise.all([4, 5].map((index) => transport.putSnapshotBlock(put(index))));
      expect(server.connectionCount()).toBe(3);
    });

    test('reads answers that come in pieces, behind interim ones, and in chunks', async () => {
      const chunked =
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '9\r\n{"Status"\r\nd\r\n:"completed"}\r\n0\r\n\r\n';
      const server = await startRawServer({
        onRequest: ({ socket }) => {
          socket.setNoDelay(true);
          for (const character of chunked) socket.write(character);
        },
      });
      const transport = open(clientOf(server.endpoint));
      expect(await transport.completeSnapshot(complete())).toBe('completed');
    });

    test('does not send when the signal has aborted before', async () => {
      const server = await startRawServer({ onRequest: () => undefined });
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(
        open(clientOf(server.endpoint)).putSnapshotBlock(put(0), { signal }),
      ).rejects.toMatchObject({ name: 'AbortError', cause: new Error('enough') });
      expect(server.connectionCount()).toBe(0);
    });

    test('tells an observer of the answer', async () => {
      const server = await startRawServer({ onRequest: ({ socket }) => socket.write(STORED) });
      let answers = 0;
      await open(clientOf(server.endpoint)).putSnapshotBlock(put(0), {
        observer: { onAnswer: () => (answers += 1) },
      });
      expect(answers).toBeGreaterThan(0);
    });

    describe('has let go of a block', () => {
      /** Reads what is left on a connection, and finds bytes that were written over it after the call had settled. */
      async function staleBytes({ socket, received }: RawRequest): Promise<number> {
        socket.on('data', (bytes: Buffer) => received.push(bytes));
        socket.resume();
        if (!socket.closed) await once(socket, 'close');
        return received.reduce((sum, bytes) => sum + bytes.filter((b) => b === STALE).length, 0);
      }

      test('when its answer comes before it was read', async () => {
        const server = await startRawServer({
          answersAfter: 'head',
          onRequest: ({ socket }) =>
            socket.write(
              httpAnswer('400 Bad Request', '{"message":"slow down"}', {
                'x-amzn-ErrorType': 'ThrottlingException',
              }),
            ),
        });
        const request = put(1, UNREAD_SIZE);
        await expect(
          open(clientOf(server.endpoint)).putSnapshotBlock(request),
        ).rejects.toMatchObject({ name: 'ThrottleError', scope: 'account' });
        request.data.fill(STALE);
        const [received] = server.requests;
        if (received === undefined) throw new Error('no request came');
        expect(await staleBytes(received)).toBe(0);
      });

      test('when it succeeds before it was read', async () => {
        const server = await startRawServer({
          answersAfter: 'head',
          onRequest: ({ socket }) => socket.write(STORED),
        });
        const transport = open(clientOf(server.endpoint));
        const request = put(1, UNREAD_SIZE);
        await transport.putSnapshotBlock(request);
        request.data.fill(STALE);
        const [received] = server.requests;
        if (received === undefined) throw new Error('no request came');
        expect(await staleBytes(received)).toBe(0);
        // Nor is the connection, in the middle of a body, used for another request.
        await transport.putSnapshotBlock(put(2));
        expect(server.connectionCount()).toBe(2);
      });

      test('when the call is aborted, at a server that never reads', async () => {
        const abort = new AbortController();
        const server = await startRawServer({
          answersAfter: 'head',
          onRequest: () => abort.abort(new Error('enough')),
        });
        const request = put(1, UNREAD_SIZE);
        await expect(
          open(clientOf(server.endpoint)).putSnapshotBlock(request, { signal: abort.signal }),
        ).rejects.toMatchObject({ name: 'AbortError', cause: new Error('enough') });
        request.data.fill(STALE);
        const [received] = server.requests;
        if (received === undefined) throw new Error('no request came');
        expect(await staleBytes(received)).toBe(0);
      });

      test('when the connection is reset in the middle of it', async () => {
        const server = await startRawServer({
          answersAfter: 'head',
          onRequest: ({ socket }) => socket.resetAndDestroy(),
        });
        const request = put(1, UNREAD_SIZE);
        await expect(
          open(clientOf(server.endpoint)).putSnapshotBlock(request),
        ).rejects.toMatchObject(LOST);
        await expect.poll(() => server.openCount()).toBe(0);
      });
    });
  });
}

function complete() {
  return { snapshotId: SNAPSHOT, changedBlocksCount: 0, aggregateDigest: sha256(new Uint8Array()) };
}
