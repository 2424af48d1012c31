import { Argument, Command as Program, Option } from 'commander';
import { COMMANDS, type Command, type CommandName, type Flag } from './command-table.ts';
import { parseValue } from './parse-value.ts';

/** What a command line asks for. */
export interface Invocation {
  readonly command: CommandName;
  readonly arguments: readonly (string | undefined)[];
  /** By camelCase name; FlagValues of the command's flags. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** Reads command lines. `onInvocation` is called by `parse` for a line that is right. */
export function buildProgram(
  version: string,
  onInvocation: (invocation: Invocation) => void,
): Program {
  const program = new Program('ebs-snapshot')
    .description('Moves disks into Amazon EBS snapshots and back.')
    .version(version)
    // Both are inherited by the commands: nothing ends the process, and errors are worded by report.ts.
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', '\nNew here? `ebs-snapshot demo` needs no account and takes seconds.');
  for (const command of COMMANDS) addCommand(program, command, onInvocation);
  return program;
}

function addCommand(
  program: Program,
  command: Command & { readonly name: CommandName },
  onInvocation: (invocation: Invocation) => void,
): void {
  const sub = program.command(command.name).summary(command.summary);
  sub.description(`${capitalize(command.summary)}.`);
  for (const { name, description, optional } of command.arguments) {
    sub.addArgument(new Argument(optional === true ? `[${name}]` : `<${name}>`, description));
  }
  for (const flag of command.flags) sub.addOption(toOption(flag));
  const examples = command.examples.map((line) => `  ebs-snapshot ${line}`);
  sub.addHelpText('after', `\nExamples:\n${examples.join('\n')}`);
  sub.action(() => onInvocation({ command: command.name, arguments: sub.args, flags: sub.opts() }));
}

function toOption(flag: Flag): Option {
  if (flag.value === undefined) return new Option(`--${flag.name}`, flag.description);
  const option = new Option(`--${flag.name} <${flag.value}>`, flag.description);
  if (flag.name === 'local') option.conflicts(['endpointUrl', 'profile']);
  return option.argParser((text, previous: unknown) => parseValue(flag, text, previous));
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
