#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { CommanderError } from 'commander';
import { COMMANDS, type CommandName } from './command-table.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { Output } from './output.ts';
import { buildProgram, type Invocation } from './program.ts';
import { reportFailure, reportStop, type Report } from './report.ts';
import { StateSignal } from './state-signal.ts';
import { catchStopSignals, type StopSignals } from './stop-signals.ts';

/** What each module of commands/ exports. */
interface CommandModule {
  readonly run: (
    positionals: readonly (string | undefined)[],
    flags: Invocation['flags'],
    context: Context,
  ) => Promise<number>;
}

/** Loaded only when it is their turn, so that `--help` waits for neither the SDK nor the addon. */
const MODULES: Readonly<Record<CommandName, () => Promise<CommandModule>>> = {
  upload: () => import('./commands/upload.ts'),
  start: () => import('./commands/start.ts'),
  complete: () => import('./commands/complete.ts'),
  download: () => import('./commands/download.ts'),
  verify: () => import('./commands/verify.ts'),
  diff: () => import('./commands/diff.ts'),
  copy: () => import('./commands/copy.ts'),
  manifest: () => import('./commands/manifest.ts'),
  serve: () => import('./commands/serve.ts'),
  demo: () => import('./commands/demo.ts'),
};

/** Set to see the stack of what went wrong. */
const DEBUG_VARIABLE = 'EBS_SNAPSHOT_DEBUG';

async function main(commandLine: readonly string[]): Promise<number> {
  const { env, stdin, stdout, stderr } = process;
  // A first guess, since a line that cannot be read is reported too, as JSON if that was asked for.
  const output = new Output({ stdout, stderr, env, json: commandLine.includes('--json') });
  const stop = catchStopSignals((signal) => output.message(`${signal}: stopping`));
  const stateSignal = new StateSignal();
  const fail = (error: unknown, command?: CommandName): number => {
    if (env[DEBUG_VARIABLE]) stderr.write(`${inspect(error)}\n`);
    return tell(toReport(error, { command, stop }), output);
  };
  process.on('uncaughtException', (error) => process.exit(fail(error)));
  tellWarnings(output);
  let command = COMMANDS.find(({ name }) => name === commandLine[0])?.name;
  try {
    const invocation = parse(commandLine);
    if (typeof invocation === 'number') return invocation;
    command = invocation.command;
    output.configure(invocation.flags);
    const { run } = await MODULES[command]();
    const context = { commandLine, output, stop, stateSignal, env, stdin, stdout };
    return await run(invocation.arguments, invocation.flags, context);
  } catch (error) {
    return fail(error, command);
  } finally {
    stop.release();
  }
}

/** A warning of Node or of a library is one line here as well, and said once. */
function tellWarnings(output: Output): void {
  const told = new Set<string>();
  process.removeAllListeners('warning');
  process.on('warning', ({ message }) => {
    if (!told.has(message)) output.message(`note: ${message}`);
    told.add(message);
  });
}

/** The command to run, or the exit code when the line asked for help or the version. */
function parse(commandLine: readonly string[]): Invocation | number {
  let invocation: Invocation | undefined;
  const program = buildProgram(version(), (asked) => (invocation = asked));
  try {
    program.parse(commandLine, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.done;
    // Without a command, help has been printed already.
    if (error.code === 'commander.help') return EXIT.usage;
    throw error;
  }
  return invocation ?? EXIT.usage;
}

function version(): string {
  const path = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/** Whatever fails after a signal fails because of it. */
function toReport(
  error: unknown,
  { command, stop }: { readonly command: CommandName | undefined; readonly stop: StopSignals },
): Report {
  if (stop.received !== undefined) return reportStop(stop.received, error);
  return reportFailure(
    error,
    COMMANDS.find(({ name }) => name === command),
  );
}

function tell({ exitCode, code, sentence, fields }: Report, output: Output): number {
  // Who closed the pipe knows why, and a shell tells of a failed pipe by itself.
  const isPipeClosed = output.isStdoutGone && code === 'ERR_EBS_TARGET_WRITE';
  if (!isPipeClosed) output.error(sentence);
  const { snapshotId, remains, resumeCommand } = fields as Partial<Record<string, string>>;
  if (remains !== undefined) output.error(`snapshot ${snapshotId ?? ''} ${remains}`);
  if (resumeCommand !== undefined) output.error(`go on with: ${resumeCommand}`);
  output.event('error', { code, message: sentence, exitCode, ...fields });
  return exitCode;
}

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
process.exitCode = await main(process.argv.slice(2));
