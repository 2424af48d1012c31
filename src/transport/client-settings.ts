import type { EBSClient } from '@aws-sdk/client-ebs';
import type { ConnectionOptions } from 'node:tls';
import { clientEbs, endpoints } from './aws-sdk.ts';
import { ClockSkew } from './clock-skew.ts';
import { handlerAgent } from './client-agents.ts';
import type { Address } from './open-socket.ts';
import { proxyFor, targetOf } from './proxy.ts';
import type { CredentialsProvider } from './request-signer.ts';

/** What the lean transport takes from an SDK client, resolved by the SDK's own code. */
export interface ClientSettings {
  readonly address: Address;
  /** Value of the header of that name. */
  readonly host: string;
  /** The endpoint's own path, without a slash at its end. */
  readonly pathPrefix: string;
  readonly region: string;
  /** Signing name. */
  readonly service: string;
  readonly credentials: CredentialsProvider;
  readonly clock: ClockSkew;
  readonly userAgent: string;
}

/**
 * Resolves region, endpoint (custom, FIPS, dual-stack, from the environment or a profile), credentials and user agent of
 * a client, as the SDK does at each call; and the proxy from the environment, which the SDK leaves to its callers.
 * @throws the SDK's errors: no region, an endpoint that cannot be; what {@link proxyFor} throws.
 */
export async function resolveSettings({ config }: EBSClient): Promise<ClientSettings> {
  const region = await config.region();
  const url = await endpointOf(config);
  const target = targetOf(url);
  const isFixed = await (
    config as { disableClockSkewCorrection?: () => Promise<boolean> }
  ).disableClockSkewCorrection?.();
  return {
    address: {
      ...target,
      settings: await socketSettings(config.requestHandler, target.isEncrypted),
      proxy: proxyFor(target),
    },
    host: url.host,
    pathPrefix: url.pathname.replace(/\/+$/, ''),
    region,
    service: 'ebs',
    credentials: config.credentials as CredentialsProvider,
    clock: new ClockSkew(config, { isCorrected: isFixed !== true }),
    userAgent: await userAgentOf(config),
  };
}

/** The endpoint that a client talks to, as the SDK resolves it. */
export async function endpointOf(config: EBSClient['config']): Promise<URL> {
  // No member of any operation bears on the endpoint, so one operation stands for all.
  const { getEndpointFromInstructions } = endpoints;
  const { url } = await getEndpointFromInstructions({}, clientEbs.PutSnapshotBlockCommand, config);
  return url;
}

/** Socket and TLS settings of the agent that the client would have used: a CA, a client certificate, a look-up. */
async function socketSettings(
  handler: unknown,
  isEncrypted: boolean,
): Promise<ConnectionOptions | undefined> {
  const agent = await handlerAgent(handler, isEncrypted);
  if (agent === undefined) return undefined;
  // Node's types leave the options out; `path` would be a Unix socket's.
  const { options } = agent as unknown as { readonly options: ConnectionOptions };
  return { ...options, path: undefined };
}

/** The SDK's own takes the configuration, which its type leaves out. */
type UserAgentProvider = (config: EBSClient['config']) => Promise<unknown>;
type NamePart = readonly [name: string, version?: string];

async function userAgentOf(config: EBSClient['config']): Promise<string> {
  const { customUserAgent = [] } = config as { customUserAgent?: readonly NamePart[] };
  const appId = await config.userAgentAppId();
  const parts: readonly NamePart[] = [
    ...((await (config.defaultUserAgentProvider as UserAgentProvider)(
      config,
    )) as readonly NamePart[]),
    ...customUserAgent,
    ...(appId === undefined ? [] : [['app', appId] as const]),
    ['lib', 'ebs-snapshot-stream'],
  ];
  // RFC 9110 section 5.6.2: whatever is no token character would end the product's name.
  const clean = (text: string): string => text.replace(/[^\w!#$%&'*+.^`|~/:-]/g, '_');
  return parts.map((part) => part.map((text) => clean(text ?? '')).join('#')).join(' ');
}
