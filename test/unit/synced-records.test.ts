import { expect, it } from 'vitest';
import { SyncedRecords } from '../../src/synced-records.ts';
import { settled } from '../support/fake-clock.ts';

const DIGEST = new Uint8Array(32);

it('records a block only after a sync that began after it was written', async () => {
  const { log, records, syncs } = recorder();
  for (let index = 0; index < 64; index += 1) records.add(index, DIGEST);
  records.add(64, DIGEST);
  await settled();
  expect(log).toEqual(['sync']);

  const flushed = records.flush();
  syncs.shift()?.resolve();
  await settled();
  // The one that came while the sync was under way waits for the next.
  expect(log.slice(0, 66)).toEqual(['sync', ...Array.from({ length: 64 }, (_, i) => i), 'sync']);
  syncs.shift()?.resolve();
  await flushed;
  expect(log.slice(66)).toEqual([64, 'flush']);
});

it('records nothing after a sync that failed, nor syncs again', async () => {
  const { log, failures, records, syncs } = recorder();
  for (let index = 0; index < 64; index += 1) records.add(index, DIGEST);
  await settled();
  const failure = new Error('EIO');
  syncs.shift()?.reject(failure);
  await settled();
  for (let index = 64; index < 200; index += 1) records.add(index, DIGEST);
  await records.flush();
  expect(log).toEqual(['sync', 'flush']);
  expect(failures).toEqual([failure]);
});

it('keeps the digest as it was when the block was written', async () => {
  const recorded: Uint8Array[] = [];
  const manifest = {
    record: (_: number, digest: Uint8Array) => recorded.push(digest),
    flush: () => Promise.resolve(),
  };
  const target = { sync: () => Promise.resolve() };
  const records = new SyncedRecords(target, manifest, () => undefined);
  const digest = Uint8Array.of(1);
  records.add(0, digest);
  digest[0] = 2;
  await records.flush();
  expect(recorded).toEqual([Uint8Array.of(1)]);
});

/** A target and a manifest that note what they are asked for; each sync ends when it is told. */
function recorder(): {
  log: (string | number)[];
  failures: Error[];
  syncs: { resolve: () => void; reject: (error: Error) => void }[];
  records: SyncedRecords;
} {
  const log: (string | number)[] = [];
  const failures: Error[] = [];
  const syncs: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const target = {
    sync: () => {
      log.push('sync');
      return new Promise<void>((resolve, reject) => syncs.push({ resolve, reject }));
    },
  };
  const manifest = {
    record: (blockIndex: number) => void log.push(blockIndex),
    flush: () => {
      log.push('flush');
      return Promise.resolve();
    },
  };
  const records = new SyncedRecords(target, manifest, (error) => failures.push(error));
  return { log, failures, syncs, records };
}
