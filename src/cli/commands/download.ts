import {
  BLOCK_SIZE,
  restoreSnapshot,
  type RestoreOptions,
  type RestoreResult,
} from '../../index.ts';
import { openClient } from '../client.ts';
import { manifestPathFor } from '../manifest-place.ts';
import type { DOWNLOAD_FLAGS, FlagValues } from '../command-table.ts';
import { given } from '../given.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { formatBytes, formatDuration, formatRate } from '../output.ts';
import { withProgress } from '../progress-view.ts';
import { isResumable, resumeCommandOf } from '../resume-command.ts';
import { UnfinishedJob } from '../unfinished-job.ts';
import { UsageError } from '../usage-error.ts';

type Flags = FlagValues<typeof DOWNLOAD_FLAGS>;

/** `ebs-snapshot download SNAPSHOT TARGET` */
export async function run(
  [snapshotId = '', target = '']: readonly (string | undefined)[],
  flags: Flags,
  context: Context,
): Promise<number> {
  const { output, stdout } = context;
  if (target === '-' && output.json) {
    throw new UsageError('--json cannot be given when TARGET is -: stdout carries the volume');
  }
  const forFiles = [flags.manifest, flags.base, flags.keepManifest];
  if (target === '-' && forFiles.some((flag) => flag !== undefined)) {
    throw new UsageError('--manifest, --keep-manifest and --base need a TARGET that is not -');
  }
  if (target === '-' && stdout.isTTY) {
    throw new UsageError('TARGET is -, but stdout is a terminal: pipe or redirect it');
  }
  output.event('start', { command: 'download', snapshotId, target });
  const result = await download(snapshotId, target, flags, context);
  output.event('end', result);
  output.message(describe(result));
  return EXIT.done;
}

async function download(
  snapshotId: string,
  target: string,
  flags: Flags,
  context: Context,
): Promise<RestoreResult> {
  const { stop, env, stdout, commandLine } = context;
  const isStream = target === '-';
  const manifest = isStream ? undefined : (flags.manifest ?? (await manifestPathFor(target, env)));
  const connection = await openClient(flags, env);
  try {
    return await withProgress(context, 'download', (on) =>
      restoreSnapshot({
        client: connection.client,
        snapshotId,
        target: isStream ? stdout : target,
        signal: stop.signal,
        ...toOptions(flags),
        ...given({ manifest }),
        on,
      }),
    );
  } catch (error) {
    if (!isResumable(error)) throw error;
    const state = `is in part on ${target}, and ${manifest ?? ''} knows in which`;
    const resumeCommand = resumeCommandOf({ commandLine });
    throw new UnfinishedJob(error, { snapshotId, state, resumeCommand });
  } finally {
    await connection.close();
  }
}

/** Only what was given: the library's defaults are its own. */
function toOptions(flags: Flags): Partial<RestoreOptions> {
  return given({
    targetIsZero: flags.targetIsZero,
    force: flags.force,
    keepManifest: flags.keepManifest,
    base: flags.base,
    maxBytesPerSecond: flags.maxRate,
    maxRequestsPerSecond: flags.maxRequests,
    maxInFlightBytes: flags.memory,
    transport: flags.transport,
  });
}

function describe(result: RestoreResult): string {
  const { snapshotId, bytesWritten, blocksRead, absentBlocks, retries, elapsedMs } = result;
  const { unchangedBlocks } = result;
  const parts = [
    formatBytes(bytesWritten),
    `${blocksRead} blocks read and checked`,
    `${absentBlocks} absent`,
    ...(unchangedBlocks > 0 ? [`${unchangedBlocks} blocks there already`] : []),
    `${retries} ${retries === 1 ? 'retry' : 'retries'}`,
    `${formatDuration(elapsedMs)} (${formatRate(blocksRead * BLOCK_SIZE, elapsedMs)})`,
  ];
  return `snapshot ${snapshotId} restored: ${parts.join(', ')}`;
}
