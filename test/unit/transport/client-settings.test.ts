import { EBSClient, type EBSClientConfig } from '@aws-sdk/client-ebs';
import { Agent } from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { leanObstacle } from '../../../src/transport/choose-transport.ts';
import { resolveSettings } from '../../../src/transport/client-settings.ts';

function make(config: EBSClientConfig = {}): EBSClient {
  const client = new EBSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    ...config,
  });
  onTestFinished(() => client.destroy());
  return client;
}

test.each<[EBSClientConfig, string, number, string]>([
  [{}, 'ebs.us-east-1.amazonaws.com', 443, ''],
  [{ region: 'cn-north-1' }, 'ebs.cn-north-1.amazonaws.com.cn', 443, ''],
  [{ useFipsEndpoint: true }, 'ebs-fips.us-east-1.amazonaws.com', 443, ''],
  [{ useDualstackEndpoint: true }, 'ebs.us-east-1.api.aws', 443, ''],
  [{ useFipsEndpoint: true, useDualstackEndpoint: true }, 'ebs-fips.us-east-1.api.aws', 443, ''],
  [{ endpoint: 'http://example.com' }, 'example.com', 80, ''],
  [{ endpoint: 'https://example.com:8443/a/b/' }, 'example.com', 8443, '/a/b'],
  [{ endpoint: 'http://[::1]:9' }, '::1', 9, ''],
])('the endpoint of %j', async (config, host, port, pathPrefix) => {
  const settings = await resolveSettings(make(config));
  expect(settings).toMatchObject({ address: { host, port }, pathPrefix, service: 'ebs' });
});

test('TLS settings of the client’s agent', async () => {
  const httpsAgent = new Agent({ ca: 'CA', servername: 'other' });
  const { address } = await resolveSettings(make({ requestHandler: { httpsAgent } }));
  expect(address.settings).toMatchObject({ ca: 'CA', servername: 'other' });
});

class ProxyAgent extends Agent {}

test.each<[string, () => EBSClient, RegExp | undefined]>([
  ['nothing of its own', () => make(), undefined],
  [
    'a provider of credentials',
    () => make({ credentials: () => Promise.reject(new Error()) }),
    undefined,
  ],
  [
    'options for its agent',
    () => make({ requestHandler: { httpsAgent: { maxSockets: 9 } } }),
    undefined,
  ],
  ['an agent of Node', () => make({ requestHandler: { httpsAgent: new Agent() } }), undefined],
  [
    'an agent derived from it',
    () => make({ requestHandler: { httpsAgent: new ProxyAgent() } }),
    /agent/,
  ],
  [
    'a request handler',
    () =>
      make({
        requestHandler: {
          handle: () => Promise.reject(new Error()),
          metadata: { handlerProtocol: 'x' },
        } as never,
      }),
    /handler/,
  ],
  [
    'a signer',
    () => make({ signer: { sign: () => Promise.reject(new Error()) } as never }),
    /signer/,
  ],
  [
    'middleware',
    () => {
      const client = make();
      client.middlewareStack.add((next) => (args) => next(args), { step: 'build', name: 'mine' });
      return client;
    },
    /middleware/,
  ],
  ['another send', () => Object.assign(make(), { send: () => undefined }), /send/],
])('a client with %s', async (_name, client, obstacle) => {
  const found = await leanObstacle(client());
  if (obstacle === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(obstacle);
});
