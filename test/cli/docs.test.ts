import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { COMMANDS, type Flag } from '../../src/cli/command-table.ts';
import { EXIT, SIGNAL_EXIT } from '../../src/cli/exit-codes.ts';
import { ERROR_CODES } from '../../src/index.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, ROOT), 'utf8');

/** First cells of the tables in a text, headers included, without back-quotes and escapes. */
function firstCells(text: string): string[] {
  const rows = [...text.matchAll(/^\| (`.+?`|[^|`]+?) \|/gm)].map(([, cell = '']) => cell);
  const cells = rows.map((cell) => cell.replace(/\\\|/g, '|').replace(/`/g, ''));
  return cells.filter((cell) => !/^-+$/.test(cell));
}

/** The part of a page under a heading. */
function section(page: string, heading: string): string {
  const [, text = ''] = page.split(`\n## ${heading}\n`);
  return text.split('\n## ')[0] ?? '';
}

function usage({ name, value }: Flag): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

describe('docs/cli.md', () => {
  it.each(COMMANDS)('has every flag of $name, and no other', async (command) => {
    const page = await read('docs/cli.md');
    const positionals = command.arguments.map(({ name, ...argument }) =>
      'optional' in argument ? `[${name}]` : name,
    );
    const shared = ['Output of every command'];
    if (!['serve', 'demo'].includes(command.name)) shared.push('Whom commands talk to');
    const headings = [[command.name, ...positionals].join(' '), ...shared];
    const documented = headings.flatMap((heading) => firstCells(section(page, heading)));
    const flags = documented.filter((cell) => cell.startsWith('--'));
    expect(flags.sort()).toEqual(command.flags.map(usage).sort());
  });

  it('has every exit code', async () => {
    const cells = firstCells(section(await read('docs/cli.md'), 'Exit codes'));
    const codes = cells.flatMap((cell) => cell.split(', ')).filter((cell) => /^\d+$/.test(cell));
    expect(codes).toEqual([...Object.values(EXIT), ...Object.values(SIGNAL_EXIT)].map(String));
  });

  it('has every type of JSON line that the command prints', async () => {
    const folder = new URL('src/cli/', ROOT);
    const files = (await readdir(folder, { recursive: true })).filter((name) =>
      name.endsWith('.ts'),
    );
    const sources = await Promise.all(files.map((name) => readFile(new URL(name, folder), 'utf8')));
    const printed = sources.flatMap((source) => [...source.matchAll(/output\.event\('(\w+)'/g)]);
    const types = new Set(printed.map(([, type = '']) => type));
    const cells = firstCells(section(await read('docs/cli.md'), 'JSON lines'));
    expect(cells.filter((cell) => cell !== 'type').sort()).toEqual([...types].sort());
  });
});

describe('docs/errors.md', () => {
  it('has a paragraph for each code, headed by its sentence', async () => {
    const page = await read('docs/errors.md');
    const headed = [...page.matchAll(/^## (ERR_EBS_\w+)\n\n(.+)$/gm)];
    const paragraphs = headed.map(([, code = '', sentence = '']) => [code, sentence] as const);
    expect(Object.fromEntries(paragraphs)).toEqual(ERROR_CODES);
    for (const [code] of paragraphs) {
      const points = [...section(page, code).matchAll(/^- (.+?):/gm)].map(([, point]) => point);
      expect(points).toEqual(['Cause', 'At stake', 'Next']);
    }
  });
});

/** Code blocks of a page: the example that each is said to be, if any, and its text. */
async function codeBlocks(page: string): Promise<{ name: string | undefined; text: string }[]> {
  const blocks = (await read(page)).matchAll(
    /^(?:<!-- docs\/examples\/(.+) -->\n\n)?```\w+\n([^]*?)```$/gm,
  );
  return [...blocks].map(([, name, text = '']) => ({ name, text }));
}

describe('docs/examples', () => {
  it('are shown word for word, each on one page', async () => {
    const pages = ['README.md', 'docs/local-service.md'];
    const blocks = (await Promise.all(pages.map(codeBlocks))).flat();
    const shown = blocks.filter(({ name }) => name !== undefined);
    const names = shown.map(({ name = '' }) => name);
    expect(names.sort()).toEqual((await readdir(new URL('docs/examples/', ROOT))).sort());
    for (const { name = '', text } of shown) {
      expect(await read(`docs/examples/${name}`)).toBe(text);
    }
  });
});

describe('README.md', () => {
  it('has no code that is no example, but how to begin', async () => {
    const others = (await codeBlocks('README.md')).filter(({ name }) => name === undefined);
    expect(others.map(({ text }) => text)).toEqual([
      'npm ci && npm run demo\n',
      'npm ci && npm test\n',
    ]);
  });

  it('has every option', async () => {
    const options = (await read('src/options.ts')).split('/** What an upload came to. */')[0] ?? '';
    const names = new Set(
      [...options.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name),
    );
    const table = section(await read('README.md'), 'Options');
    const cells = firstCells(table).flatMap((cell) => cell.split(', '));
    expect(cells.filter((cell) => cell !== 'option').sort()).toEqual([...names].sort());
  });

  it('links to files that are there', async () => {
    for (const page of [
      'README.md',
      'CONTRIBUTING.md',
      'docs/cli.md',
      'docs/errors.md',
      'docs/benchmarks.md',
      'docs/local-service.md',
    ]) {
      const links = [...(await read(page)).matchAll(/\]\((?!https?:)([^)#]+)/g)];
      for (const [, path = ''] of links) await expect(read(path)).resolves.not.toBe('');
    }
  });
});
