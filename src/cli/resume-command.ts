import type { Context } from './context.ts';

/** Whether a run that failed so can be gone on with. */
export function isResumable(error: unknown): boolean {
  return (error as { resumable?: boolean } | undefined)?.resumable === true;
}

/** The same command, to be pasted into a shell, with the flag that makes it go on. */
export function resumeCommandOf({ commandLine }: Pick<Context, 'commandLine'>): string {
  const words = commandLine.includes('--resume') ? commandLine : [...commandLine, '--resume'];
  return ['ebs-snapshot', ...words].map(quote).join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
