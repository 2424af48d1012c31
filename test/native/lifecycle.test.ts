import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../src/base/constants.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { inWorker, runScript, type ScriptResult } from './child-script.ts';

const hasProc = await access('/proc/self/task').then(
  () => true,
  () => false,
);

/** What a script prints last when all went well. */
const CLEAN: ScriptResult = { exitCode: 0, signal: null, stdout: 'clean\n', stderr: '' };

describe.skipIf(!hasProc)('life of the native engine', () => {
  it('gives back file, threads and memory of a reader that was abandoned', async () => {
    const result = await runScript(
      `
      const engine = loadEngine({ engine: 'native' });
      const path = process.argv[2];
      async function abandon(i) {
        const reader = await engine.openReader(path, { maxBufferBytes: 8 * 524288 });
        const blocks = i % 3 > 0 ? await reader.next() : [];
        if (i % 3 > 1) for (const block of blocks) block.release();
      }
      for (let i = 0; i < 12; i += 1) await abandon(i);
      await until(() => timesOpen(path) === 0 && nativeThreads() === 0);
      console.log('clean');
      `,
      await diskFile(32),
    );
    expect(result).toEqual(CLEAN);
  });

  it('collects a reader whose blocks are still held, and keeps the blocks', async () => {
    const result = await runScript(
      `
      import { createHash } from 'node:crypto';
      const engine = loadEngine({ engine: 'native' });
      const path = process.argv[2];
      async function takeBlocks() {
        const reader = await engine.openReader(path, { maxBufferBytes: 2 * 524288 });
        return (await reader.next()).map(({ data, digest }) => ({ data, digest }));
      }
      const blocks = await takeBlocks();
      await until(() => timesOpen(path) === 0 && nativeThreads() === 0);
      for (const { data, digest } of blocks) {
        if (!createHash('sha256').update(data).digest().equals(digest)) throw new Error('changed');
      }
      console.log(blocks.length > 0 ? 'clean' : 'no block');
      `,
      await diskFile(16),
    );
    expect(result).toEqual(CLEAN);
  });

  it('opens and closes a hundred readers without a trace', async () => {
    const result = await runScript(
      `
      const engine = loadEngine({ engine: 'native' });
      const path = process.argv[2];
      for (let i = 0; i < 100; i += 1) {
        const reader = await engine.openReader(path, { maxBufferBytes: 4 * 524288 });
        for (const block of await reader.next()) if (i % 2 === 0) block.release();
        await reader.close();
        if (timesOpen(path) !== 0) throw new Error('open after close');
        await until(() => nativeThreads() === 0);
      }
      console.log('clean');
      `,
      await diskFile(8),
    );
    expect(result).toEqual(CLEAN);
  });

  it('ends the hashing threads when there is nothing left to hash', async () => {
    const result = await runScript(`
      const engine = loadEngine({ engine: 'native' });
      const blocks = Array.from({ length: 9 }, (_, i) => Buffer.alloc(524288, i + 1));
      for (let round = 0; round < 2; round += 1) {
        await engine.inspect(blocks);
        await until(() => nativeThreads() === 0);
      }
      console.log('clean');
    `);
    expect(result).toEqual(CLEAN);
  });

  it('does not keep the process alive for a reader that nobody asks', async () => {
    const result = await runScript(
      `
      const engine = loadEngine({ engine: 'native' });
      globalThis.opened = await engine.openReader(process.argv[2]);
      globalThis.used = await engine.openReader(process.argv[2]);
      await globalThis.used.next();
      console.log('clean');
      `,
      await diskFile(8),
    );
    expect(result).toEqual(CLEAN);
  });

  it.each([
    ['while a source is opened', 'void reading;'],
    ['while blocks are read', 'const reader = await reading; void reader.next();'],
    ['with blocks in hand', 'const reader = await reading; await reader.next();'],
    [
      'while a reader is closed',
      'const r = await reading; void r.next().catch(() => 0); void r.close();',
    ],
    [
      'while blocks are hashed',
      'void engine.inspect([Buffer.alloc(524288, 1), Buffer.alloc(524288)]);',
    ],
  ])('lets the process exit %s', async (_, doing) => {
    const path = await diskFile(32);
    for (let trial = 0; trial < 5; trial += 1) {
      const result = await runScript(
        `
        const engine = loadEngine({ engine: 'native' });
        const reading = engine.openReader(process.argv[2]);
        ${doing}
        console.log('clean');
        process.exit(0);
        `,
        path,
      );
      expect(result).toEqual(CLEAN);
    }
  });

  it('survives workers that are terminated in the middle of a read', async () => {
    const worker = inWorker(`
      const engine = loadEngine({ engine: 'native' });
      const reader = await engine.openReader(workerData.path);
      if (workerData.trial % 4 === 1) await reader.next();
      if (workerData.trial % 4 === 2) void reader.close();
      if (workerData.trial % 4 === 3) void engine.inspect([Buffer.alloc(524288, 1)]);
      const next = reader.next().catch(() => undefined);
      parentPort.postMessage('reading');
      await next;
      await new Promise((resolve) => parentPort.once('message', resolve));
    `);
    const result = await runScript(
      `
      const path = process.argv[2];
      for (let trial = 0; trial < 12; trial += 1) {
        const worker = new Worker(${worker}, { workerData: { path, trial } });
        await new Promise((resolve, reject) => {
          worker.once('error', reject);
          worker.once('message', resolve);
        });
        await worker.terminate();
        if (timesOpen(path) !== 0) throw new Error('open after the worker has ended');
        await until(() => nativeThreads() === 0);
      }
      console.log('clean');
      `,
      await diskFile(64),
    );
    expect(result).toEqual(CLEAN);
  });

  it('serves several environments at the same time', async () => {
    const worker = inWorker(`
      const engine = loadEngine({ engine: 'native' });
      const reader = await engine.openReader(workerData.path, { maxBufferBytes: 3 * 524288 });
      const digests = [];
      for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
        const facts = await engine.inspect(blocks.map(({ data }) => data));
        blocks.forEach((block, i) => {
          digests.push(Buffer.from(block.digest).toString('hex'));
          if (!Buffer.from(block.digest).equals(facts[i].digest)) throw new Error('differs');
          block.release();
        });
      }
      await reader.close();
      parentPort.postMessage(digests.join());
    `);
    const result = await runScript(
      `
      const path = process.argv[2];
      const seen = await Promise.all([1, 2, 3].map(() => new Promise((resolve, reject) => {
        const worker = new Worker(${worker}, { workerData: { path } });
        worker.once('error', reject);
        worker.once('message', resolve);
      })));
      if (seen[0].split(',').length !== 21) throw new Error('not all blocks');
      console.log(new Set(seen).size === 1 ? 'clean' : 'they differ');
      `,
      await diskFile(21),
    );
    expect(result).toEqual(CLEAN);
  });

  it('does not fill a buffer anew that is still being hashed', async () => {
    const pool = new URL('../../dist/engine/block-pool.js', import.meta.url).href;
    const result = await runScript(`
      import { createHash } from 'node:crypto';
      const { BlockPool } = await import(${JSON.stringify(pool)});
      const engine = loadEngine({ engine: 'native' });
      const blocks = new BlockPool({ maxBytes: 2 * 524288 });
      for (let i = 0; i < 40; i += 1) {
        const lease = await blocks.lease();
        lease.bytes.fill(i + 1);
        const expected = createHash('sha256').update(lease.bytes).digest();
        void engine.inspect([lease.bytes]).then(([facts]) => {
          if (!expected.equals(facts.digest)) throw new Error('hashed another block');
        });
        // Too early: the owner breaks the rule, and nothing comes of it.
        lease.release();
      }
      await until(() => blocks.leasedCount === 0);
      console.log('clean');
    `);
    expect(result).toEqual(CLEAN);
  });

  it('reads a hole of a terabyte in memory that does not grow', async () => {
    const result = await runScript(
      `
      import { truncateSync } from 'node:fs';
      const path = process.argv[2];
      truncateSync(path, 2 ** 40);
      const engine = loadEngine({ engine: 'native' });
      const reader = await engine.openReader(path);
      const before = process.memoryUsage().rss;
      let count = 0;
      for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
        count += blocks.length;
        for (const block of blocks) block.release();
      }
      await reader.close();
      const grown = process.memoryUsage().rss - before;
      if (count !== 2 ** 21) throw new Error('blocks: ' + count);
      console.log(grown < 100 * 2 ** 20 ? 'clean' : 'grown by ' + grown);
      `,
      await diskFile(8),
    );
    expect(result).toEqual(CLEAN);
  });
});

async function diskFile(blockCount: number): Promise<string> {
  const path = join(await temporaryFolder(), 'disk.img');
  const disk = Buffer.alloc(blockCount * BLOCK_SIZE);
  for (let index = 0; index < blockCount; index += 1) disk.fill(index + 1, index * BLOCK_SIZE);
  await writeFile(path, disk);
  return path;
}
