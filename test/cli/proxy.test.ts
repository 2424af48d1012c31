import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  complaints,
  envOf,
  jsonLines,
  runCommand,
  type CommandResult,
} from '../support/command.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { startProxy, startTlsFront, type ProxyServer } from '../support/proxy-server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { TEST_CERTIFICATE } from '../support/test-certificate.ts';

/** A service that is found at https://ebs.test, and through a proxy alone. */
async function startBehindProxy(
  isEncrypted: boolean,
): Promise<LocalService & { proxy: ProxyServer }> {
  const service = await startLocalService();
  const tunnelPort = await startTlsFront(Number(new URL(service.ebs.endpoint).port));
  const credentials = 'user:secret';
  return { ...service, proxy: await startProxy({ tunnelPort, credentials, isEncrypted }) };
}

async function upload(
  { ebs }: LocalService,
  HTTPS_PROXY: string,
  flags: readonly string[],
): Promise<CommandResult> {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, 'disk.img'), randomBytes(600_000));
  await writeFile(join(cwd, 'ca.pem'), TEST_CERTIFICATE.cert);
  const env = {
    ...envOf(ebs),
    AWS_ENDPOINT_URL: 'https://ebs.test',
    HTTPS_PROXY,
    NODE_EXTRA_CA_CERTS: join(cwd, 'ca.pem'),
  };
  return runCommand(['upload', 'disk.img', '--json', ...flags], { cwd, env });
}

it.each([
  ['lean', 'http'],
  ['sdk', 'http'],
  ['lean', 'https'],
  ['sdk', 'https'],
])('uploads with --transport %s through an %s proxy', async (transport, scheme) => {
  const service = await startBehindProxy(scheme === 'https');
  const { proxy } = service;
  const url = `${scheme}://user:secret@localhost:${proxy.port}`;
  const ended = await upload(service, url, ['--transport', transport]);
  expect(ended).toMatchObject({ exitCode: 0 });
  expect(service.acknowledgedPuts()).toHaveLength(2);
  expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT ebs.test:443']));
});

it.each(['lean', 'sdk'])('tells in one sentence of a refusal, over %s', async (transport) => {
  const service = await startBehindProxy(false);
  const url = `http://user:wrong@127.0.0.1:${service.proxy.port}`;
  const ended = await upload(service, url, ['--transport', transport]);
  expect(ended.exitCode).toBe(7);
  expect(complaints(ended.stderr)).toEqual([
    'ebs-snapshot: StartSnapshot could not be sent: ' +
      `the proxy http://127.0.0.1:${service.proxy.port} asks for a user and a password ` +
      '(407 Proxy Authentication Required); those in its URL are not accepted',
  ]);
  expect(jsonLines(ended.stdout).at(-1)).toMatchObject({ code: 'ERR_EBS_PROXY', retryable: false });
  expect(service.proxy.asked).toHaveLength(1);
});

it('needs no proxy for --local', async () => {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, 'disk.img'), randomBytes(600_000));
  const env = { ALL_PROXY: 'http://127.0.0.1:1' };
  const args = ['upload', 'disk.img', '--local', 'store'];
  expect(await runCommand(args, { cwd, env })).toMatchObject({ exitCode: 0 });
});
