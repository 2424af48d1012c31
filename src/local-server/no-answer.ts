/**
 * Ends an exchange without an answer; thrown at the place where the fault strikes. One that stalls unwinds first, so
 * that a request that waits for ever holds no buffer.
 */
export class NoAnswer extends Error {
  /** Whether the connection stays open until the client or the service closes it; otherwise it is reset. */
  readonly isStall: boolean;

  constructor({ isStall }: { readonly isStall: boolean }) {
    super(isStall ? 'No answer comes.' : 'The connection is reset.');
    this.name = 'NoAnswer';
    this.isStall = isStall;
  }
}
