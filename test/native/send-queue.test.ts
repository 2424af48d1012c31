import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { loadNative } from '../../src/engine/load-native.ts';

const native = loadNative();

function fdOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

test('tells what the other side has not acknowledged, until it has', async () => {
  const server = createServer({ pauseOnConnect: true });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  expect(native.limitReceiveWindow(fd, 16_384, 1460)).toBe(0);
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const [[accepted]] = (await Promise.all([
    once(server, 'connection'),
    once(socket, 'connect'),
  ])) as [[Socket], unknown];
  onTestFinished(() => void accepted.destroy());
  expect(native.unacknowledgedBytes(fdOf(socket))).toBe(0);
  socket.write(Buffer.alloc(1_048_576));
  await expect.poll(() => native.unacknowledgedBytes(fdOf(socket))).toBeGreaterThan(0);
  accepted.resume();
  await expect.poll(() => native.unacknowledgedBytes(fdOf(socket)), { timeout: 10_000 }).toBe(0);
});

test('says nothing of what is no socket', () => {
  const file = openSync(import.meta.filename, 'r');
  onTestFinished(() => closeSync(file));
  expect(native.unacknowledgedBytes(file)).toBe(-1);
  expect(native.unacknowledgedBytes(-1)).toBe(-1);
});
