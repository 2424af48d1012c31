import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { start } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MAIN = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const RATE = 'blocks/s, steady';

interface Report {
  readonly benchmarks: {
    readonly 'control-law': {
      readonly contenders: {
        readonly name: string;
        readonly figures: Readonly<Record<string, readonly number[]>>;
      }[];
    }[];
  };
}

test('a scenario tells the attainable rate beside the reached one, and what both cost', async () => {
  const folder = await temporaryFolder();
  const json = join(folder, 'report.json');
  const trace = join(folder, 'trace');
  const what = ['control-law', '--scenario', 'step-up', '--seconds', '2'];
  const words = [MAIN, ...what, '--folder', folder, '--trace', trace, '--json', json];
  const { exitCode, stderr } = await start(process.execPath, words).result;
  expect(exitCode, stderr).toBe(0);
  const report = JSON.parse(await readFile(json, 'utf8')) as Report;
  const contenders = report.benchmarks['control-law'][0]?.contenders ?? [];
  expect(contenders.map(({ name }) => name)).toEqual([
    'SnapshotWriter',
    'attainable',
    'this machine, unhindered',
  ]);
  const [ours, attainable, machine] = contenders;
  // 9 s of 10 MiB/s and 19 s of 100 MiB/s are steady when nothing is shortened.
  expect(attainable?.figures[RATE]?.[0]).toBeCloseTo((9 * 20 + 19 * 200) / 28, 2);
  expect(machine?.figures[RATE]?.[0]).toBeGreaterThan(0);
  expect(ours?.figures[RATE]).toHaveLength(1);
  expect(ours?.figures['peak RSS MiB']?.[0]).toBeGreaterThan(1);
  expect(ours?.figures['most in flight']?.[0]).toBeGreaterThanOrEqual(1);
  const [sample] = (await readFile(`${trace}-step-up-0.jsonl`, 'utf8')).split('\n');
  expect(Object.keys(JSON.parse(sample ?? '') as object)).toEqual(
    expect.arrayContaining(['atMs', 'blocks', 'inFlight', 'limitedBy']),
  );
});

test('a scenario that is not there is named, with those that are', async () => {
  const words = [MAIN, 'control-law', '--scenario', 'moon'];
  const { exitCode, stderr } = await start(process.execPath, words).result;
  expect(exitCode).not.toBe(0);
  expect(stderr).toMatch(/among ec2, uplink, .*, got moon/);
});
