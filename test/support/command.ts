import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** How a command is run. */
export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What stdin brings. Default: nothing. */
  readonly input?: Uint8Array;
  /** Takes what stdout brings, in place of the result. */
  readonly onOutput?: (chunk: Buffer) => void;
}

/** How a command ended. */
export interface CommandResult {
  /** As a shell tells it: 128 and the signal's number when a signal killed the process. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface RunningCommand {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly result: Promise<CommandResult>;
  /** Resolves with the first line of stdout that has `text` in it. */
  readonly lineWith: (text: string) => Promise<string>;
}

/** An environment without anything of this machine's AWS set-up. */
export const CLEAN_ENV: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? '',
  TMPDIR: process.env.TMPDIR ?? '/tmp',
  AWS_CONFIG_FILE: '/nonexistent/config',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** The environment in which the SDK finds a local service. */
export function envOf(service: {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: service.endpoint,
    AWS_REGION: service.region,
    AWS_ACCESS_KEY_ID: service.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: service.credentials.secretAccessKey,
  };
}

/** Starts the built command, in a process group of its own. */
export function startCommand(
  args: readonly string[],
  options: CommandOptions = {},
): RunningCommand {
  return start(process.execPath, [MAIN, ...args], options);
}

/** Runs the built command to its end. */
export async function runCommand(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return startCommand(args, options).result;
}

/** Starts any program, as {@link startCommand} starts the command. */
export function start(
  program: string,
  args: readonly string[],
  { cwd, env = {}, input, onOutput }: CommandOptions = {},
): RunningCommand {
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...CLEAN_ENV, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  // A command that does not read its input to the end closes it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', onOutput ?? ((chunk: Buffer) => stdout.push(chunk)));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const result = once(child, 'close').then(([code, signal]) => ({
    exitCode: (code as number | null) ?? (signal === 'SIGINT' ? 130 : 143),
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  }));
  return { child, result, lineWith: (text) => lineWith(child.stdout, stdout, text) };
}

/** Parses JSON lines. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** The lines of stderr that say what went wrong; a note about the slower engine is none of them. */
export function complaints(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line !== '' && !line.startsWith('note: '));
}

/** Whether any process of a command's group is left. */
export function isGroupAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

/** Looks at all that came so far, then at all that comes. */
async function lineWith(
  stream: Readable,
  chunks: readonly Buffer[],
  text: string,
): Promise<string> {
  for (;;) {
    const complete = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
    const line = complete.find((candidate) => candidate.includes(text));
    if (line !== undefined) return line;
    if (stream.readableEnded) throw new Error(`stdout ended without "${text}"`);
    await Promise.race([once(stream, 'data'), once(stream, 'end')]);
  }
}
