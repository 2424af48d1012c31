import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { start } from '../support/command.ts';
import { haveHeader } from '../support/required-tool.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Comparison {
  readonly title: string;
  readonly contenders: readonly { name: string; figures: Record<string, number[]> }[];
  readonly aims: readonly { figure: string; ratio: { median: number } }[];
}
interface Harness {
  readonly whileListening: <Result>(
    command: string,
    args: readonly string[],
    options: object,
    work: (server: { endpoint: string }) => Promise<Result>,
  ) => Promise<Result>;
}

const BENCH = fileURLToPath(new URL('../../bench/', import.meta.url));

async function importBench<Module>(path: string): Promise<Module> {
  return (await import(join(BENCH, path))) as Module;
}

const isCompilable = process.platform === 'linux' && (await haveHeader('openssl/ssl.h'));

describe.runIf(isCompilable)('the download benchmark', () => {
  test('tells every figure of both targets, and leaves nothing behind', async () => {
    const folder = await temporaryFolder();
    const json = join(await temporaryFolder(), 'report.json');
    const what = ['download', '--scheme', 'http', '--folder', folder, '--size-mib', '1024'];
    const args = [join(BENCH, 'main.js'), ...what, '--rounds', '1', '--json', json];
    const { exitCode, stderr } = await start(process.execPath, args).result;
    expect(exitCode, stderr).toBe(0);
    const { benchmarks } = JSON.parse(await readFile(json, 'utf8')) as {
      benchmarks: { download: readonly Comparison[] };
    };
    const titles = benchmarks.download.map(({ title }) => title);
    expect(titles).toEqual(['http, 1 GiB to memory', 'http, 1 GiB to file']);
    const names = benchmarks.download.map(({ contenders }) => contenders.map(({ name }) => name));
    expect(names).toEqual([
      ['SnapshotReader', 'C++ floor'],
      ['restoreSnapshot', 'C++ floor'],
    ]);
    for (const { contenders, aims } of benchmarks.download) {
      const figures = contenders.flatMap((contender) => Object.values(contender.figures));
      expect(figures.every((figure) => figure.length === 1 && figure.every(Number.isFinite))).toBe(
        true,
      );
      expect(aims.map(({ figure }) => figure)).toEqual(['CPU s/GiB', 'GiB/s']);
      expect(aims.every(({ ratio }) => ratio.median > 0)).toBe(true);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test('the floor writes every block where it belongs', async () => {
    const { buildFloor } = await importBench<{ buildFloor: (name: string) => Promise<string> }>(
      'floor/build-floor.js',
    );
    const { whileListening } = await importBench<Harness>('harness.js');
    const [sink, floor] = await Promise.all([buildFloor('sink'), buildFloor('download_floor')]);
    const path = join(await temporaryFolder(), 'disk.img');
    await whileListening(sink, [], {}, async ({ endpoint }) => {
      const args = [path, endpoint, '2', 'snap-0d000000000000001', '5'];
      return promisify(execFile)(floor, args);
    });
    const bytes = await readFile(path);
    expect(bytes).toHaveLength(5 * 524_288);
    // Block i is full of the byte i + 1.
    bytes.forEach((byte, at) => {
      if (byte !== Math.floor(at / 524_288) + 1) throw new Error(`Byte ${at} is ${byte}`);
    });
  });
});
