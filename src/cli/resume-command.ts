import type { Context } from './context.ts';

/** Whether the library says that a later run can go on where this one has ended. */
export function isResumable(error: unknown): boolean {
  return (error as { resumable?: boolean } | undefined)?.resumable === true;
}

/** The same command, to be pasted into a shell, with the flags that make it go on. */
export function resumeCommandOf(
  { commandLine }: Pick<Context, 'commandLine'>,
  flags: readonly string[] = [],
): string {
  const missing = flags.filter((flag) => !commandLine.includes(flag));
  return ['ebs-snapshot', ...commandLine, ...missing].map(quote).join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
