import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { LocalEbs } from '../../src/local.ts';
import { start } from '../support/command.ts';
import { haveHeader } from '../support/required-tool.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Source {
  readonly path: string;
  readonly sizeBytes: number;
  readonly aggregate: string;
}
interface Comparison {
  readonly title: string;
  readonly contenders: readonly { name: string; figures: Record<string, number[]> }[];
  readonly aims: readonly { figure: string; ratio: { median: number }; isReached: boolean }[];
}
type Command = readonly [program: string, args: readonly string[]];
interface Sink {
  readonly uploadToSink: (
    bench: { scheme: string; source: Source; sink: string },
    commandFor: (endpoint: string) => Command,
  ) => Promise<{ readonly tally: object }>;
}

const BENCH = fileURLToPath(new URL('../../bench/', import.meta.url));

async function importBench<Module>(path: string): Promise<Module> {
  return (await import(join(BENCH, path))) as Module;
}

async function newSource(): Promise<Source> {
  const { makeSource } = await importBench<{
    makeSource: (kind: string, options: object) => Source;
  }>('macro/sources.js');
  return makeSource('file', { sizeMiB: 16, folder: await temporaryFolder() });
}

const isCompilable = process.platform === 'linux' && (await haveHeader('openssl/ssl.h'));

describe.runIf(isCompilable)('the upload benchmark', () => {
  let sink: string;
  let floor: string;

  beforeAll(async () => {
    const { buildFloor } = await importBench<{ buildFloor: (name: string) => Promise<string> }>(
      'floor/build-floor.js',
    );
    [sink, floor] = await Promise.all([buildFloor('sink'), buildFloor('upload_floor')]);
  });

  test('tells every figure of every round, and leaves nothing behind', async () => {
    const folder = await temporaryFolder();
    const json = join(await temporaryFolder(), 'report.json');
    const what = ['upload', '--source', 'file', '--folder', folder, '--size-mib', '16'];
    const args = [join(BENCH, 'main.js'), ...what, '--rounds', '1', '--json', json];
    const { exitCode, stderr } = await start(process.execPath, args).result;
    expect(exitCode, stderr).toBe(0);
    const { benchmarks } = JSON.parse(await readFile(json, 'utf8')) as {
      benchmarks: { upload: readonly Comparison[] };
    };
    expect(benchmarks.upload.map(({ title }) => title.split(',')[0])).toEqual(['http', 'https']);
    for (const { contenders, aims } of benchmarks.upload) {
      const names = contenders.map(({ name }) => name);
      expect(names).toEqual([
        'uploadSnapshot, lean',
        'uploadSnapshot, sdk',
        'naive, AWS SDK',
        'C++ floor',
      ]);
      for (const { figures } of contenders) {
        expect(figures['CPU s/GiB']).toHaveLength(1);
        expect(Object.values(figures).flat().every(Number.isFinite)).toBe(true);
      }
      expect(aims.map(({ figure }) => figure)).toEqual(['CPU s/GiB', 'GiB/s', 'CPU s/GiB']);
      expect(aims.every(({ ratio }) => ratio.median > 0)).toBe(true);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test('no figure comes of an upload that is not whole', async () => {
    const source = await newSource();
    const { uploadToSink } = await importBench<Sink>('macro/sink.js');
    const upload = (endpoint: string): Command => [floor, [source.path, endpoint, '2']];
    for (const scheme of ['http', 'https']) {
      const bench = { scheme, source, sink };
      await expect(uploadToSink(bench, upload)).resolves.toMatchObject({ tally: { puts: 32 } });
      const other = { ...source, aggregate: 'ff'.repeat(32) };
      await expect(uploadToSink({ ...bench, source: other }, upload)).rejects.toThrow('all of');
      const longer = { ...source, sizeBytes: 2 * source.sizeBytes };
      await expect(uploadToSink({ ...bench, source: longer }, upload)).rejects.toThrow('all of');
    }
  });

  test('the local service finds nothing wrong with an upload by the floor', async () => {
    const source = await newSource();
    const service = await LocalEbs.start({ directory: await temporaryFolder() });
    const { accessKeyId, secretAccessKey } = service.credentials;
    const env = {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: service.region,
    };
    await promisify(execFile)(floor, [source.path, service.endpoint, '2'], { env });
    await service.settle();
    const snapshotId = service.history().find(({ snapshotId }) => snapshotId)?.snapshotId ?? '';
    expect(await service.snapshotReport(snapshotId)).toMatchObject({
      status: 'completed',
      computed: {
        changedBlocksCount: 32,
        checksum: Buffer.from(source.aggregate, 'hex').toString('base64'),
      },
    });
    await service.close();
  });
});
