import { createHash, randomBytes, type Hash } from 'node:crypto';
import { open, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { LocalEbs } from '../../src/local.ts';
import { envOf, isGroupAlive, start, type RunningCommand } from '../support/command.ts';
import { putCommandOnPath } from '../support/command-on-path.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const GIB = 1024 ** 3;

interface Place {
  readonly folder: string;
  readonly disk: Buffer;
  readonly service: LocalEbs;
  readonly run: (example: string) => RunningCommand;
}

/** A folder with what the examples expect: the disk, a service in the environment, the command on the PATH. */
async function preparePlace(): Promise<Place> {
  const folder = await temporaryFolder();
  const disk = randomBytes(1_200_000);
  await writeFile(join(folder, 'disk.img'), disk);
  await writeFile(join(folder, 'disk.img.gz'), gzipSync(disk));
  // Without one of its own, vitest would take the configuration of this repository.
  await writeFile(join(folder, 'vitest.config.mjs'), 'export default {};\n');
  const service = await LocalEbs.start({ directory: join(folder, 'service') });
  onTestFinished(() => service.close());
  const env = { ...envOf(service), PATH: await putCommandOnPath(folder) };
  const run = (example: string): RunningCommand => {
    const path = join(ROOT, 'docs/examples', example);
    const [program, args] = commandFor(path, folder);
    return start(program, args, { cwd: folder, env });
  };
  return { folder, disk, service, run };
}

function commandFor(path: string, folder: string): [string, string[]] {
  if (path.endsWith('.sh')) return ['sh', ['-e', path]];
  if (!path.endsWith('.test.js')) return [process.execPath, [path]];
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const config = join(folder, 'vitest.config.mjs');
  const where = ['--root', dirname(path), '--config', config];
  return [process.execPath, [vitest, 'run', '--no-cache', ...where, path]];
}

function sha256(data: Uint8Array): Hash {
  return createHash('sha256').update(data);
}

/** Runs an example to its end, which must be a good one, and returns what it printed. */
async function runToEnd(place: Place, example: string): Promise<string> {
  const { exitCode, stdout, stderr } = await place.run(example).result;
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return stdout;
}

async function expectCopy({ folder, disk }: Place): Promise<void> {
  const copy = await open(join(folder, 'copy.img'));
  try {
    expect((await copy.stat()).size).toBe(GIB);
    const { buffer } = await copy.read(Buffer.alloc(disk.length), 0, disk.length, 0);
    expect(buffer.equals(disk)).toBe(true);
  } finally {
    await copy.close();
  }
}

/** Each example, and what must be true when it has run. */
const EXAMPLES: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  'stream.js': async (place) => {
    expect(await runToEnd(place, 'stream.js')).toMatch(/^snap-[0-9a-f]{17}\n$/);
    expect(place.service.counters().byOperation).toMatchObject({ PutSnapshotBlock: 3 });
  },
  'there-and-back.js': async (place) => {
    const stdout = await runToEnd(place, 'there-and-back.js');
    expect(stdout).toMatch(/^snap-\w+ restored, 1073741824 bytes\n$/);
    await expectCopy(place);
  },
  'random-access.js': async (place) => {
    const [first, second] = (await runToEnd(place, 'random-access.js')).split('\n');
    const bootSector = place.disk.toString('hex', 0, 8);
    expect(first).toBe(`${GIB} bytes, boot sector ${bootSector}`);
    expect(second).toBe(`at 1,000,000: ${place.disk.toString('hex', 1_000_000, 1_000_016)}`);
  },
  'gunzip.js': async (place) => {
    const digests = [0, 524_288, 1_048_576].map((offset) => {
      const block = Buffer.alloc(524_288);
      place.disk.copy(block, 0, offset);
      return sha256(block).digest();
    });
    const checksum = sha256(Buffer.concat(digests)).digest('base64');
    expect(await runToEnd(place, 'gunzip.js')).toBe(`${checksum}\n`);
  },
  'errors.js': async (place) => {
    expect(await runToEnd(place, 'errors.js')).toBe('no disk there\n');
    expect(place.service.counters().requests).toBe(0);
  },
  'local-service.js': async (place) => {
    expect(await runToEnd(place, 'local-service.js')).toBe('completed\n');
    expect(place.service.counters().requests).toBe(0);
  },
  'local-service.test.js': async (place) => {
    expect(await runToEnd(place, 'local-service.test.js')).toMatch(/Tests.*1 passed/);
    expect(place.service.counters().requests).toBe(0);
  },
  'local-service.sh': async (place) => {
    expect(await runToEnd(place, 'local-service.sh')).toBe('3\n');
    expect(place.service.counters().requests).toBe(0);
  },
  'command.sh': async (place) => {
    const stdout = await runToEnd(place, 'command.sh');
    // The first id is in a variable; the pipe's and the local one are printed; then comes the help.
    expect(stdout).toMatch(/^snap-\w+\nsnap-\w+\nUsage: ebs-snapshot upload/);
    expect(place.service.counters().byOperation).toMatchObject({ CompleteSnapshot: 4 });
    await expectCopy(place);
  },
  'parts.sh': async (place) => {
    const ids = (await runToEnd(place, 'parts.sh')).trim().split('\n');
    expect([ids.length, new Set(ids).size]).toEqual([5, 1]);
    const requests = { StartSnapshot: 1, PutSnapshotBlock: 3 };
    expect(place.service.counters().byOperation).toMatchObject(requests);
  },
  'serve.sh': async (place) => {
    const { child, result, lineWith } = place.run('serve.sh');
    await lineWith('listening on http://127.0.0.1:');
    // The shell and the service are one process group, as they are to a terminal's Ctrl-C.
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await result;
    expect(isGroupAlive(child.pid)).toBe(false);
  },
};

it.each(Object.keys(EXAMPLES))('%s does what the docs say', async (example) => {
  await EXAMPLES[example]?.(await preparePlace());
});

it('leaves out none but those in Python, which test/clients runs', async () => {
  const files = await readdir(join(ROOT, 'docs/examples'));
  const examples = files.filter((name) => !name.endsWith('.py'));
  expect(examples.sort()).toEqual(Object.keys(EXAMPLES).sort());
});
