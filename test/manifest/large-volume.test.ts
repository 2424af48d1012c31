import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadNative } from '../../src/engine/load-native.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import { digestNumber, plannedFacts } from '../support/manifest.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('keeps file and memory small at 64 TiB', async () => {
  const path = join(await temporaryFolder(), 'vol.manifest');
  const { lockFile: tryLock } = loadNative();
  const facts = plannedFacts({ volumeSizeGiB: 65_536 });
  const rssBefore = process.memoryUsage().rss;
  await using manifest = await Manifest.create(path, facts, { tryLock });
  const last = manifest.blockCount - 1;
  expect(last).toBe(134_217_727);
  for (const index of [0, last]) manifest.record(index, digestNumber(index));
  expect(await manifest.summary()).toMatchObject({ changedBlocksCount: 2 });
  expect(await manifest.digestOf(last)).toMatchObject({ digest: digestNumber(last) });
  // A page that waits to be written stays, however many come after it.
  for (let page = 0; page < 600; page += 1) manifest.record(page * 126 + 7, digestNumber(page));
  expect(await manifest.digestOf(7)).toMatchObject({ digest: digestNumber(0) });
  // More pages than are kept in memory, all over the volume.
  const step = Math.floor(last / 5000);
  for (let index = 0; index < last; index += step) {
    manifest.record(index, digestNumber(index));
    await manifest.whenReady();
  }
  await manifest.flush();
  for (let index = 0; index < last; index += step * 100) {
    expect(await manifest.digestOf(index)).toMatchObject({ digest: digestNumber(index) });
  }
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(64 * 2 ** 20);
  const { size, blocks } = await stat(path);
  expect(size).toBe(139_264 + 4096 * 1_065_221);
  expect(blocks * 512).toBeLessThan(5700 * 4096 * 2);
});
