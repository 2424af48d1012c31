import type { CredentialsProvider } from './request-signer.ts';

/** Renews credentials that the service calls expired, once for all the requests that were signed with them. */
export class CredentialRenewal {
  readonly #provider: CredentialsProvider;
  #count = 0;

  constructor(provider: CredentialsProvider) {
    this.#provider = provider;
  }

  /** Renewals that have succeeded: to be noted before a request's credentials are asked for. */
  get count(): number {
    return this.#count;
  }

  /**
   * Renews, unless that has been done since `count` was noted. Renewals at the same time are one: the SDK joins them.
   * @throws what the provider throws. What failed for the moment is tried again with the next refusal.
   */
  async since(count: number): Promise<void> {
    if (count < this.#count) return;
    await this.#provider({ forceRefresh: true });
    this.#count += 1;
  }
}
