import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DOUBTFUL, RECORD_STATES, rowOfBlock, WRITTEN } from '../../src/manifest/digest-page.ts';
import { pageCountOf, pageOfBlock, pageOffset } from '../../src/manifest/layout.ts';
import { PageCache } from '../../src/manifest/page-cache.ts';
import { readPage, type PageContext } from '../../src/manifest/page-reader.ts';
import { RecordWriter } from '../../src/manifest/record-writer.ts';
import { SegmentMap } from '../../src/manifest/segment-map.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { digestNumber, RecordingFile } from '../support/manifest.ts';

const BLOCKS = 16 * 2048;
const PAGES = pageCountOf(16);
const MANIFEST_ID = Buffer.alloc(16, 9);

const step = fc.record({
  does: fc.constantFrom('record', 'record', 'record', 'doubt', 'flush'),
  blockIndex: fc.oneof(fc.nat(300), fc.nat(BLOCKS - 1)),
});

it('loses what was not synced, and never what was doubted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), async (steps, seed) => {
      const file = new RecordingFile(Buffer.alloc(pageOffset(PAGES)));
      const writer = new RecordWriter(await contextOf(file), new PageCache(), () => undefined);
      const history = new Map<number, { state: number; digest?: Buffer }[]>();
      let durable = new Map<number, number>();
      for (const [number, { does, blockIndex }] of steps.entries()) {
        const told = history.get(blockIndex) ?? [];
        if (does === 'flush') await writer.flush();
        else {
          const digest = does === 'record' ? { digest: digestNumber(number) } : {};
          told.push({ state: does === 'record' ? WRITTEN : DOUBTFUL, ...digest });
          history.set(blockIndex, told);
          writer.set(blockIndex, told.at(-1)?.state ?? 0, digest.digest);
          if (does === 'record') continue;
          await writer.sync();
          durable = new Map([...history].map(([index, { length }]) => [index, length]));
        }
      }
      await writer.flush();
      const lost = await contextOf(afterPowerLoss(file, seededRandom(seed)));
      for (const [index, told] of history) {
        const { page } = await readPage(pageOfBlock(index), lost);
        const row = rowOfBlock(index);
        const state = page.stateAt(row);
        // A torn page doubts; otherwise it is something that was told since the last sync, or the last before.
        const since = told.slice(Math.max(0, (durable.get(index) ?? 0) - 1));
        const possible = durable.has(index) ? since : [{ state: 0 }, ...since];
        const digest = state === WRITTEN ? { digest: Buffer.from(page.digestAt(row)) } : {};
        const found = { state, ...digest };
        if (state !== DOUBTFUL) expect(possible).toContainEqual(found);
        expect(RECORD_STATES[state]).not.toBe('inherited');
      }
    }),
    { numRuns: 200 },
  );
});

async function contextOf(file: RecordingFile): Promise<PageContext> {
  const segments = await SegmentMap.read(file, MANIFEST_ID);
  const places = {
    blockCount: BLOCKS,
    pageCount: PAGES,
    trustedPages: PAGES,
    range: { firstBlock: 0, endBlock: BLOCKS },
  };
  return { file, manifestId: MANIFEST_ID, segments, ...places };
}

/** Of what was written since the last sync, any sectors are there, each as some write since left it, or as it was. */
function afterPowerLoss(file: RecordingFile, random: () => number): RecordingFile {
  const bytes = Buffer.alloc(file.bytes.byteLength);
  const lastSync = file.log.lastIndexOf('sync');
  for (const [at, step] of file.log.entries()) {
    if (step === 'sync') continue;
    for (let done = 0; done < step.bytes.byteLength; done += 512) {
      if (at > lastSync && random() < 0.5) continue;
      bytes.set(step.bytes.subarray(done, done + 512), step.offset + done);
    }
  }
  return new RecordingFile(bytes);
}
