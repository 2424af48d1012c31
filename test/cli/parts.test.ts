import { CompleteSnapshotCommand } from '@aws-sdk/client-ebs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Manifest } from '../../src/manifest/manifest.ts';
import { pageOffset } from '../../src/manifest/layout.ts';
import { SdkTransport } from '../../src/transport/sdk-transport.ts';
import {
  complaints,
  envOf,
  jsonLines,
  runCommand,
  startCommand,
  type CommandResult,
} from '../support/command.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService, type LocalService } from '../support/local-service.ts';
import { expectVolume } from '../support/read-back.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DISK = diskOf('d0dddd0ddddd0ddd');
const MINUTE_MS = 60_000;

interface Job {
  readonly service: LocalService;
  readonly where: { readonly cwd: string; readonly env: Record<string, string> };
  readonly snapshotId: string;
  readonly run: (...args: string[]) => Promise<CommandResult>;
  /** Uploads a range as the part of that name. */
  readonly part: (name: string, range: string, ...flags: string[]) => Promise<CommandResult>;
}

/** A disk of sixteen blocks, and a snapshot that `start` has started. */
async function startJob(options: Parameters<typeof startLocalService>[0] = {}): Promise<Job> {
  const service = await startLocalService(options);
  const where = { cwd: await temporaryFolder(), env: envOf(service.ebs) };
  await writeFile(join(where.cwd, 'disk.img'), DISK);
  const run: Job['run'] = (...args) => runCommand(args, where);
  const { exitCode, stdout } = await run('start', '--volume-size', '1');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^snap-[0-9a-f]{17}\n$/);
  const snapshotId = stdout.trim();
  const part: Job['part'] = (name, range, ...flags) =>
    run(...partOf(snapshotId, name, range), ...flags);
  return { service, where, snapshotId, run, part };
}

function partOf(snapshotId: string, name: string, range: string): string[] {
  const which = ['--snapshot-id', snapshotId, '--range', range, '--manifest', name];
  return ['upload', 'disk.img', ...which, '--zero-blocks', 'omit', '--memory', '4M'];
}

it('starts, uploads two parts, completes', async () => {
  const { service, snapshotId, run, part } = await startJob();
  const [first, last] = await Promise.all([part('a', '0:6'), part('b', '5:', '--json')]);
  expect(first).toMatchObject({ exitCode: 0, stdout: `${snapshotId}\n` });
  expect(first.stderr).toContain(`${snapshotId} has this part, and waits for`);
  expect(jsonLines(last.stdout).at(-1)).toMatchObject({ type: 'end', status: 'sent', snapshotId });
  expect(service.requests('CompleteSnapshot')).toBe(0);

  const completed = await run('complete', snapshotId, '--manifest', 'b', 'a');
  expect(completed).toMatchObject({ exitCode: 0, stdout: `${snapshotId}\n` });
  expect(completed.stderr).toContain('completed: 2 parts, 13 blocks');
  await expectVolume(service, snapshotId, { disk: DISK, blocks: 20 });
  const report = await service.ebs.snapshotReport(snapshotId);
  expect(report).toMatchObject({ status: 'completed', putsAfterComplete: 0 });
});

it('says which blocks no part has, with 5 and the line to run again', async () => {
  const { service, snapshotId, run, part } = await startJob();
  await Promise.all([part('a', '0:6'), part('b', '9:')]);
  const line = ['complete', snapshotId, '--manifest', 'a', 'b'];
  const { exitCode, stdout, stderr } = await run(...line);
  expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
  expect(complaints(stderr)).toEqual([
    'ebs-snapshot: blocks 7 to 8 are in none of the parts',
    `ebs-snapshot: snapshot ${snapshotId} is not completed`,
    `ebs-snapshot: go on with: ebs-snapshot ${line.join(' ')}`,
  ]);
  expect(service.requests('CompleteSnapshot')).toBe(0);
});

it('names the block and the two parts that contradict each other', async () => {
  const { service, where, snapshotId, run, part } = await startJob();
  await part('a', '0:6');
  await writeFile(join(where.cwd, 'disk.img'), diskOf('d0dddd0ddddd0ddd', 9));
  await part('b', '5:');
  const { exitCode, stderr } = await run('complete', snapshotId, '--manifest', 'a', 'b');
  expect(exitCode).toBe(1);
  expect(complaints(stderr)).toEqual([
    'ebs-snapshot: block 5 is not the same in "a" and "b": the source changed between them',
  ]);
  expect(service.requests('CompleteSnapshot')).toBe(0);
});

it('waits for nobody who still writes a part, and ends with 6', async () => {
  const { service, where, snapshotId, run, part } = await startJob();
  await part('b', '8:');
  const slow = [...partOf(snapshotId, 'a', '0:7'), '--json', '--max-rate', '512K'];
  const { child, result, lineWith } = startCommand(slow, where);
  onTestFinished(() => void child.kill('SIGKILL'));
  await lineWith('"snapshot"');
  const completed = await run('complete', snapshotId, '--manifest', 'a', 'b');
  expect(completed.exitCode).toBe(6);
  expect(complaints(completed.stderr)[0]).toContain(`is in use by process ${child.pid} on `);

  child.kill('SIGINT');
  expect((await result).exitCode).toBe(5);
  const unfinished = await run('complete', snapshotId, '--manifest', 'a', 'b');
  expect(unfinished.exitCode).toBe(5);
  expect(unfinished.stderr).toContain(
    'the part of "a" is not finished: run it again with --resume',
  );
  expect(service.requests('CompleteSnapshot')).toBe(0);
});

it('sends the blocks of one part again when its page at the border is damaged', async () => {
  const job = await startJob();
  const { service, where, snapshotId, run, part } = job;
  // Both ranges reach into page 0, and only one of the two files is damaged.
  await Promise.all([part('a', '0:6'), part('b', '7:')]);
  const file = await open(join(where.cwd, 'b'), 'r+');
  await file.write(Buffer.alloc(2048, 1), 0, 2048, pageOffset(0) + 2048);
  await file.close();

  const doubtful = await run('complete', snapshotId, '--manifest', 'a', 'b');
  expect(doubtful.exitCode).toBe(5);
  // Blocks 7 to 125: what the page has of this part.
  expect(doubtful.stderr).toContain('"b" does not know what was sent for 119 of its blocks');
  expect(service.requests('CompleteSnapshot')).toBe(0);

  const before = service.ebs.history().length;
  expect(await part('b', '7:', '--resume')).toMatchObject({ exitCode: 0 });
  const again = service.ebs
    .history()
    .slice(before)
    .flatMap(({ operation, blockIndex }) =>
      operation === 'PutSnapshotBlock' ? [blockIndex ?? -1] : [],
    );
  expect(again.sort((a, b) => a - b)).toEqual(Array.from({ length: 119 }, (_, i) => i + 7));
  expect(await run('complete', snapshotId, '--manifest', 'a', 'b')).toMatchObject({ exitCode: 0 });
  await expectVolume(service, snapshotId, { disk: DISK, blocks: 20 });
});

describe('a snapshot that takes nothing more', () => {
  /** Runs a new part, one that goes on, and the end, and returns what each complains of first. */
  async function refusals({ snapshotId, run, part }: Job): Promise<(string | undefined)[]> {
    const runs = [
      await part('new', '0:'),
      await part('begun', '0:', '--resume'),
      await run('complete', snapshotId, '--manifest', 'a', 'b'),
    ];
    return runs.map(({ exitCode, stdout, stderr }) => {
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      const complaint = complaints(stderr).find((line) => line.startsWith('ebs-snapshot: '));
      return complaint?.replaceAll(snapshotId, 'SNAP');
    });
  }

  /** A snapshot old enough that "not found" cannot mean "not yet", with two finished parts, and one that was begun. */
  async function prepare(clock = { now: () => Date.now() - 2 * MINUTE_MS }): Promise<Job> {
    const job = await startJob({ clock });
    const { part, where } = job;
    await Promise.all([part('a', '0:6'), part('b', '7:'), part('begun', '0:')]);
    // As a kill leaves it.
    await using manifest = await Manifest.resume(join(where.cwd, 'begun'));
    await manifest.update({ state: 'started' });
    await manifest.doubt(3);
    return job;
  }

  it('was deleted', async () => {
    const job = await prepare();
    const transport = new SdkTransport(job.service.client, { ownsClient: false });
    await transport.deleteSnapshot({ snapshotId: job.snapshotId });
    const gone =
      'ebs-snapshot: SNAP was deleted before it was finished; upload again, with a new --manifest';
    expect(await refusals(job)).toEqual([
      // Who only begins cannot tell it from an id that never was.
      "ebs-snapshot: DescribeSnapshots in SNAP was refused (HTTP 400 InvalidSnapshot.NotFound): The snapshot 'SNAP' does not exist; check the ids and the --region",
      gone,
      gone,
    ]);
  });

  it('expired', async () => {
    let nowMs = Date.now() - 2 * MINUTE_MS;
    const job = await prepare({ now: () => nowMs });
    nowMs += 120 * MINUTE_MS;
    const expired =
      'ebs-snapshot: SNAP was given up by the service: it had got no block for too long; upload again with a new --manifest, and a longer --timeout if pauses are long';
    expect(await refusals(job)).toEqual([expired, expired, expired]);
  });

  it('was completed by another', async () => {
    const job = await prepare();
    const { service, snapshotId: SnapshotId } = job;
    await service.client.send(new CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 13 }));
    await service.ebs.settle();
    const advice = 'look at what it holds, then delete it and upload again with a new --manifest';
    expect(await refusals(job)).toEqual([
      `ebs-snapshot: SNAP is completed and takes no blocks any more; ${advice}`,
      `ebs-snapshot: SNAP was completed by another before this source was in it; ${advice}`,
      `ebs-snapshot: SNAP was completed by another; ${advice}`,
    ]);
  });
});
