/** What the exit code says; docs/cli.md has the same table. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unconfirmed: 3,
  different: 4,
  resumable: 5,
  locked: 6,
  access: 7,
} as const;

/** Exit codes of a run that a signal stopped: 128 and the signal's number, as shells count. */
export const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

/** The signals that stop a run cleanly. */
export type StopSignal = keyof typeof SIGNAL_EXIT;

/** Codes of a wrong argument, and of a source, target, folder or host that cannot be what it was given as. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
  'ERR_EBS_SOURCE_OPEN',
  'ERR_EBS_SOURCE_SIZE',
  'ERR_EBS_TARGET_OPEN',
  'ERR_EBS_TARGET_EXISTS',
  'ERR_EBS_TARGET_SIZE',
  'ERR_EBS_OMIT_REFUSED',
  'ERR_EBS_MANIFEST_OPEN',
  'ERR_EBS_MANIFEST_EXISTS',
  'ERR_EBS_MANIFEST_FOREIGN',
  'ERR_EBS_MANIFEST_MISMATCH',
  'ERR_EBS_VOLUME_MISMATCH',
  'STORE_FOREIGN',
  'STORE_UNUSABLE',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
]);

/** The exit code for an error's `code`; a code that is not known here means failed. */
export function exitCodeOf(code: string | undefined): number {
  if (code === undefined) return EXIT.failed;
  if (code === 'ERR_EBS_UNCONFIRMED') return EXIT.unconfirmed;
  if (code === 'ERR_EBS_DIFFERENT') return EXIT.different;
  if (code === 'ERR_EBS_MANIFEST_LOCKED') return EXIT.locked;
  if (code === 'ERR_EBS_ACCESS' || code === 'ERR_EBS_PROXY') return EXIT.access;
  return USAGE_CODES.has(code) ? EXIT.usage : EXIT.failed;
}
