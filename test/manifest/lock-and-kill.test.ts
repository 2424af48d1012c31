import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadNative } from '../../src/engine/load-native.ts';
import { lockByProgram, LOCKING_PROGRAMS } from '../../src/manifest/file-lock.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { digestNumber, plannedFacts } from '../support/manifest.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const tryLock = loadNative().lockFile;
const MANIFEST = new URL('../../dist/manifest/manifest.js', import.meta.url).href;

/** Records random blocks, digest by number of the block, and prints after each flush how many of its list are safe. */
const RECORDER = `
import { createHash } from 'node:crypto';
const { Manifest } = await import(${JSON.stringify(MANIFEST)});
const [path, indices] = [process.argv[2], JSON.parse(process.argv[3])];
const manifest = await Manifest.resume(path);
console.log('open');
for (let done = 0; done < indices.length;) {
  for (const index of indices.slice(done, done + 20)) {
    manifest.record(index, createHash('sha256').update(String(index)).digest());
  }
  done += 20;
  if (done % 60 === 0) { await manifest.flush(); console.log(done); }
  await new Promise(setImmediate);
}
await new Promise((resolve) => setInterval(resolve, 2 ** 30));
`;

function startRecorder(path: string, indices: readonly number[]): ChildProcess {
  const args = ['--input-type=module', '--eval', RECORDER, 'script', path, JSON.stringify(indices)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.signalCode === null) await once(child, 'exit');
}

it('has every flushed record after a kill, and no wrong one', async () => {
  const seed = Number(process.env.MANIFEST_KILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = seededRandom(seed);
  const path = join(await temporaryFolder(), 'vol.manifest');
  await (await Manifest.create(path, plannedFacts({ volumeSizeGiB: 64 }))).close();
  const safe = new Set<number>();
  for (let round = 0; round < Number(process.env.MANIFEST_KILLS ?? 4); round += 1) {
    const indices = Array.from({ length: 3000 }, () => Math.floor(random() * 64 * 2048));
    const child = startRecorder(path, indices);
    const linesMax = 1 + Math.floor(random() * 45);
    let lineCount = 0;
    if (child.stdout === null) throw new Error('no stdout');
    for await (const line of createInterface(child.stdout)) {
      for (const index of indices.slice(0, Number(line) || 0)) safe.add(index);
      lineCount += 1;
      if (lineCount === linesMax) await kill(child);
    }
    await using manifest = await Manifest.resume(path, { tryLock });
    const found = new Set<number>();
    for await (const run of manifest.records()) {
      for (const { blockIndex, state, digest } of run) {
        if (state === 'absent') continue;
        expect({ seed, state, digest }).toEqual({
          seed,
          state: 'written',
          digest: digestNumber(blockIndex),
        });
        found.add(blockIndex);
      }
    }
    expect({ seed, missing: [...safe].filter((index) => !found.has(index)) }).toEqual({
      seed,
      missing: [],
    });
  }
});

describe('the lock', () => {
  it('refuses another process, names the holder, and is gone with a killed one', async () => {
    const path = join(await temporaryFolder(), 'vol.manifest');
    await (await Manifest.create(path, plannedFacts(), { tryLock })).close();
    const child = startRecorder(path, []);
    if (child.stdout === null) throw new Error('no stdout');
    await once(createInterface(child.stdout), 'line');
    for (const options of [{ tryLock }, {}]) {
      await expect(Manifest.resume(path, options)).rejects.toMatchObject({
        name: 'ManifestError',
        code: 'ERR_EBS_MANIFEST_LOCKED',
        message: expect.stringMatching(`in use by process ${child.pid} on .+, since 20`) as unknown,
        holder: { pid: child.pid, host: hostname() },
      });
    }
    await kill(child);
    await (await Manifest.resume(path, { tryLock })).close();
  });

  it('is the same however it is taken, and within one process', async () => {
    const path = join(await temporaryFolder(), 'file');
    const missing = ['no-such-program'] as const;
    const programs = LOCKING_PROGRAMS.map((program) => [missing, program]);
    for (const program of programs) {
      await using first = await open(path, 'a');
      const second = await open(path, 'a');
      expect(await lockByProgram(first.fd, program)).toBe(true);
      expect(tryLock(second.fd)).not.toBe(0);
      for (const other of programs) expect(await lockByProgram(second.fd, other)).toBe(false);
      await second.close();
    }
    await using handle = await open(path, 'a');
    expect(tryLock(handle.fd)).toBe(0);
    await expect(lockByProgram(handle.fd, [missing])).rejects.toThrow('flock and perl');
  });
});
