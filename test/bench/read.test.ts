import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { start } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Source {
  readonly aggregate: string;
  readonly remove: () => void;
}
interface Report {
  readonly benchmarks: Readonly<
    Record<string, { contenders: { name: string; figures: Record<string, number[]> }[] }[]>
  >;
}

const BENCH = fileURLToPath(new URL('../../bench/', import.meta.url));

function runBench(...args: string[]): ReturnType<typeof start>['result'] {
  return start(process.execPath, [join(BENCH, 'main.js'), ...args]).result;
}

async function importBench<Module>(path: string): Promise<Module> {
  return (await import(join(BENCH, path))) as Module;
}

test('without a name it lists every benchmark there is', async () => {
  const { exitCode, stdout } = await runBench();
  expect(exitCode).toBe(0);
  for (const folder of ['micro', 'macro']) {
    const { CATALOGUE } = await importBench<{ CATALOGUE: Record<string, object> }>('catalogue.js');
    for (const name of Object.keys(CATALOGUE[folder] ?? {})) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\w`, 'm'));
    }
  }
});

test('an unknown name is refused', async () => {
  const { exitCode, stderr } = await runBench('scam');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('got scam');
});

test.runIf(process.platform === 'linux')(
  'the read benchmark tells every figure of every round, and leaves nothing behind',
  async () => {
    const folder = await temporaryFolder();
    const json = join(await temporaryFolder(), 'report.json');
    const what = ['read', '--source', 'file', '--folder', folder, '--size-mib', '16'];
    const { exitCode, stderr } = await runBench(...what, '--rounds', '2', '--json', json);
    expect(exitCode, stderr).toBe(0);
    const { benchmarks } = JSON.parse(await readFile(json, 'utf8')) as Report;
    const [comparison] = benchmarks.read ?? [];
    const names = comparison?.contenders.map(({ name }) => name.replace(/,.*/, ''));
    expect(names).toEqual(
      expect.arrayContaining(['engine', 'fs.read + node:crypto', 'naive loop', 'C++ floor']),
    );
    for (const { figures } of comparison?.contenders ?? []) {
      expect(figures['GiB/s']).toHaveLength(2);
      expect(Object.values(figures).flat().every(Number.isFinite)).toBe(true);
    }
    expect(await readdir(folder)).toEqual([]);
  },
);

test('no figure comes of a contender whose digests are wrong', async () => {
  const { SOURCES } = await importBench<{ SOURCES: Record<string, (o: object) => Source> }>(
    'macro/sources.js',
  );
  const { runNode } = await importBench<{
    runNode: (script: string, source: Source, depth: number) => Promise<unknown>;
  }>('macro/read.js');
  const source = SOURCES.file?.({ sizeMiB: 16, folder: await temporaryFolder() });
  if (source === undefined) throw new Error('There is no source of the kind file');
  for (const script of ['engine', 'fs-read', 'naive']) {
    await expect(runNode(script, source, 2)).resolves.toMatchObject({
      aggregate: source.aggregate,
    });
    const other = { ...source, aggregate: 'ff'.repeat(32) };
    await expect(runNode(script, other, 2)).rejects.toThrow('other digests');
  }
  source.remove();
});
