import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadNative } from '../../src/engine/load-native.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import type { RecordState } from '../../src/manifest/digest-page.ts';
import { digestNumber, plannedFacts } from '../support/manifest.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const tryLock = loadNative().lockFile;
/** 1 GiB: 17 pages, the last one with 32 records. */
const BLOCKS = 2048;
const READER = fileURLToPath(new URL('read_manifest.py', import.meta.url));

type Model = Map<number, { state: RecordState; digest?: Buffer }>;

const blockIndex = fc.oneof(
  fc.nat(BLOCKS - 1),
  fc.constantFrom(0, 125, 126, 127, 251, 252, BLOCKS - 32, BLOCKS - 33, BLOCKS - 1),
);
const operation = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constant('record'), blockIndex, seed: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('doubt'), blockIndex }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('read'), blockIndex }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom('flush', 'reopen', 'summary') }) },
) as fc.Arbitrary<{ does: string; blockIndex: number; seed: number }>;

it('tells what a model tells, whatever is done, and Python reads the same', async () => {
  const folder = await temporaryFolder();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const path = join(folder, String((run += 1)));
      const model: Model = new Map();
      let manifest = await Manifest.create(path, plannedFacts(), { tryLock });
      for (const { does, blockIndex: index, seed } of operations) {
        if (does === 'record') {
          manifest.record(index, digestNumber(seed));
          model.set(index, { state: 'written', digest: digestNumber(seed) });
        } else if (does === 'doubt') {
          await manifest.doubt(index);
          model.set(index, { state: 'doubtful' });
        } else if (does === 'read') {
          const count = Math.min(300, BLOCKS - index);
          for (const one of await manifest.read(index, count)) {
            const expected = model.get(one.blockIndex) ?? { state: 'absent' };
            expect(one).toEqual({ blockIndex: one.blockIndex, ...expected });
          }
        } else if (does === 'reopen') {
          await manifest.close();
          manifest = await Manifest.resume(path, { tryLock });
        } else if (does === 'summary') {
          expect(await manifest.summary()).toEqual(summaryOf(model));
        } else {
          await manifest.flush();
        }
      }
      expect(await manifest.summary()).toEqual(summaryOf(model));
      expect(await recordsOf(manifest)).toEqual(ascending(model));
      await manifest.close();
      if (run % 10 === 0) await comparePython(path, model);
    }),
    { numRuns: 60 },
  );
});

it('hands all digests down to a child, and tells them from its own', async () => {
  const folder = await temporaryFolder();
  const facts = { volumeSizeGiB: 1, snapshotId: 'snap-parent' };
  const base = await Manifest.create(join(folder, 'base'), plannedFacts(facts), { tryLock });
  for (let index = 0; index < BLOCKS; index += 3) base.record(index, digestNumber(index));
  await base.doubt(5);
  const child = await Manifest.create(join(folder, 'child'), plannedFacts({ volumeSizeGiB: 2 }), {
    tryLock,
  });
  await expect(child.inherit(base)).rejects.toMatchObject({ code: 'ERR_EBS_MANIFEST_MISMATCH' });
  await base.update({ state: 'completed' });
  await child.inherit(base);
  expect(child.facts.base).toEqual({
    snapshotId: 'snap-parent',
    manifestId: base.id,
    absentIsZero: true,
    isInherited: true,
  });
  child.record(3, digestNumber(-3));
  await child.doubt(6);
  const model: Model = new Map();
  for (let index = 0; index < BLOCKS; index += 3) {
    model.set(index, { state: 'inherited', digest: digestNumber(index) });
  }
  model.set(3, { state: 'written', digest: digestNumber(-3) });
  model.set(5, { state: 'doubtful' }).set(6, { state: 'doubtful' });
  expect(await recordsOf(child)).toEqual(ascending(model));
  expect(await child.summary()).toEqual(summaryOf(model));
  const other = await Manifest.create(join(folder, 'other'), plannedFacts(facts), { tryLock });
  await other.update({ state: 'completed' });
  await expect(child.inherit(other)).rejects.toMatchObject({ code: 'ERR_EBS_MANIFEST_MISMATCH' });
  for (const manifest of [base, child, other]) await manifest.close();
  await comparePython(join(folder, 'child'), model);
});

async function comparePython(path: string, model: Model): Promise<void> {
  const { stdout } = await promisify(execFile)('python3', [READER, path]);
  const { changedBlocksCount, aggregateDigest } = summaryOf(model);
  const manifest = await Manifest.open(path);
  expect(JSON.parse(stdout)).toEqual({
    facts: manifest.facts,
    count: changedBlocksCount,
    checksum: aggregateDigest.toString('base64'),
    records: ascending(model).map(({ blockIndex: index, state, digest }) => [
      index,
      state,
      digest?.toString('hex') ?? null,
    ]),
  });
  await manifest.close();
}

function ascending(model: Model): { blockIndex: number; state: string; digest?: Buffer }[] {
  const entries = [...model].sort(([a], [b]) => a - b);
  return entries.map(([index, record]) => ({ blockIndex: index, ...record }));
}

function summaryOf(model: Model): { changedBlocksCount: number; aggregateDigest: Buffer } {
  const hash = createHash('sha256');
  const count = (state: RecordState): number =>
    [...model.values()].filter((record) => record.state === state).length;
  for (const { state, digest } of ascending(model)) {
    if (state === 'written') hash.update(digest ?? '');
  }
  const counts = {
    changedBlocksCount: count('written'),
    inheritedBlocksCount: count('inherited'),
    doubtfulBlocksCount: count('doubtful'),
    damagedPagesCount: 0,
  };
  return { ...counts, aggregateDigest: hash.digest() };
}

async function recordsOf(manifest: Manifest): Promise<unknown[]> {
  const records = [];
  for await (const run of manifest.records()) {
    for (const one of run) if (one.state !== 'absent') records.push({ ...one });
  }
  // Views of the run's memory, which is the run's own.
  return records;
}
