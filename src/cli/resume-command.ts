import type { Context } from './context.ts';

/** Whether the library says that a later run can go on where this one has ended. */
export function isResumable(error: unknown): boolean {
  return (error as { resumable?: boolean } | undefined)?.resumable === true;
}

/** The same command, with the flag that makes it go on. */
export function resumeCommandOf({ commandLine }: Pick<Context, 'commandLine'>): string {
  return shellCommand(
    commandLine.includes('--resume') ? commandLine : [...commandLine, '--resume'],
  );
}

/** The command line, to be pasted into a shell. */
export function shellCommand(words: readonly string[]): string {
  return ['ebs-snapshot', ...words].map(quote).join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
