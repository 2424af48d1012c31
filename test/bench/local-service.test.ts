import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { start } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MAIN = fileURLToPath(new URL('../../bench/main.js', import.meta.url));

interface Report {
  readonly benchmarks: Readonly<
    Record<string, { contenders: { name: string; figures: Record<string, number[]> }[] }[]>
  >;
}

test.runIf(existsSync('/dev/shm'))(
  'the benchmark of the local service tells what both sides paid, for each round',
  async () => {
    const json = join(await temporaryFolder(), 'report.json');
    const what = ['local-service', '--size-mib', '16', '--rounds', '1', '--json', json];
    const { exitCode, stderr } = await start(process.execPath, [MAIN, ...what]).result;
    expect(exitCode, stderr).toBe(0);
    const { benchmarks } = JSON.parse(await readFile(json, 'utf8')) as Report;
    const [ours, bound] = benchmarks['local-service']?.[0]?.contenders ?? [];
    expect([ours?.name, bound?.name]).toEqual(['ebs-snapshot serve', 'node:http, nothing kept']);
    for (const name of ['PUT', 'GET']) {
      for (const figure of ['GiB/s', 'service CPU s/GiB', 'client CPU s/GiB']) {
        expect(ours?.figures[`${name} ${figure}`]).toHaveLength(1);
        expect(bound?.figures[`${name} ${figure}`]).toHaveLength(1);
      }
    }
    expect(ours?.figures['list, ms/10,000 blocks']).toHaveLength(1);
  },
);
