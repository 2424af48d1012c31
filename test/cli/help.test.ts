import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { runCommand } from '../support/command.ts';

describe('help', () => {
  it('names every command, on stdout', async () => {
    const { exitCode, stdout, stderr } = await runCommand(['--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const { name, summary } of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^  ${name} .* ${summary}$`, 'm'));
    }
  });

  it.each(COMMANDS)('of $name names its arguments, flags and examples', async (command) => {
    const { exitCode, stdout, stderr } = await runCommand([command.name, '--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const argument of command.arguments) expect(stdout).toContain(argument.name);
    for (const flag of command.flags) expect(stdout).toContain(`--${flag.name}`);
    for (const example of command.examples) expect(stdout).toContain(`ebs-snapshot ${example}`);
  });

  it('is what a line without a command gets, on stderr', async () => {
    const { exitCode, stdout, stderr } = await runCommand([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('Usage: ebs-snapshot');
  });

  it('has the version of the package', async () => {
    const file = new URL('../../package.json', import.meta.url);
    const { version } = JSON.parse(await readFile(file, 'utf8')) as { version: string };
    expect(await runCommand(['--version'])).toEqual({
      exitCode: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });
});
