import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startServe } from '../support/serve-process.ts';

/** Whether somebody listens there. */
async function isOpen(host: string, port: string): Promise<boolean> {
  const socket = connect({ host, port: Number(port) });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test('serve listens on 127.0.0.1 alone and has nothing to warn of', async () => {
  const { endpoint, stop } = await startServe();
  const { hostname, port } = new URL(endpoint);
  expect(hostname).toBe('127.0.0.1');
  expect(await isOpen('127.0.0.1', port)).toBe(true);
  // Another address of this machine, which a socket on all addresses would answer on.
  expect(await isOpen('127.0.0.2', port)).toBe(false);
  const { stderr } = await stop();
  expect(stderr).not.toContain('beyond this machine');
});

test('serve on all addresses says so', async () => {
  const { endpoint, stop } = await startServe(['--host', '0.0.0.0']);
  expect(await isOpen('127.0.0.2', new URL(endpoint).port)).toBe(true);
  const { stderr } = await stop();
  expect(stderr).toContain(
    'note: The local EBS service listens on 0.0.0.0, beyond this machine.\n',
  );
});
