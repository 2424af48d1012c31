import type { EBSClient, EBSClientConfig } from '@aws-sdk/client-ebs';
import { clientEbs } from './aws-sdk.ts';
import { ProxyHttpAgent, ProxyHttpsAgent } from './proxy-agents.ts';
import { CONNECT_TIMEOUT_MS, IDLE_TIMEOUT_MS } from './time-limits.ts';

/**
 * Makes a client as the library does when it is given none: its requests, those for credentials too, go through the
 * proxies that the environment names, which the SDK's own does not look for. Its kept-alive sockets are bounded by
 * what is in flight, and by nothing else.
 */
export function makeClient(config: Omit<EBSClientConfig, 'requestHandler'> = {}): EBSClient {
  const options = { keepAlive: true, maxSockets: Infinity };
  return new clientEbs.EBSClient({
    ...config,
    requestHandler: {
      httpAgent: new ProxyHttpAgent(options),
      httpsAgent: new ProxyHttpsAgent(options),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
    },
  });
}
