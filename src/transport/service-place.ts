import type { EBSClient } from '@aws-sdk/client-ebs';

/** Which service a client talks to, and as whom. */
export interface ServicePlace {
  /** Equal for clients that share a path and the account's quotas. */
  readonly key: string;
  /** Whether it is Amazon's own, whose quotas are documented. */
  readonly isAmazon: boolean;
}

/**
 * Reads a client's endpoint, region and account. To be called after its first request: only then does the SDK know an
 * endpoint that the environment names. Credentials that do not tell their account stand for one of their own.
 */
export async function placeOf({ config }: EBSClient): Promise<ServicePlace> {
  const region = await config.region();
  // Credentials that cannot be had fail the request that follows, which words it.
  const credentials = await config.credentials().catch(() => undefined);
  const custom = await config.endpoint?.();
  const isFips = await config.useFipsEndpoint();
  const isDualstack = await config.useDualstackEndpoint();
  const endpoint =
    custom === undefined
      ? `amazonaws fips=${isFips} dualstack=${isDualstack}`
      : `${custom.protocol}//${custom.hostname}:${custom.port ?? ''}`;
  return {
    key: `${endpoint} ${region} ${credentials?.accountId ?? credentials?.accessKeyId ?? ''}`,
    isAmazon: custom === undefined || /\.amazonaws\.com(\.cn)?$/.test(custom.hostname),
  };
}
