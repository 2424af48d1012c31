/** A command line that cannot be carried out: one sentence for the user, exit code 2. */
export class UsageError extends Error {
  readonly code = 'ERR_INVALID_ARG_VALUE';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UsageError';
  }
}
