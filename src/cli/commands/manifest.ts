import {
  BLOCK_SIZE,
  rebuildManifest,
  type RebuildOptions,
  type RebuildResult,
} from '../../index.ts';
import { openClient } from '../client.ts';
import type { FlagValues, MANIFEST_FLAGS } from '../command-table.ts';
import { given } from '../given.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { formatBytes, formatDuration, formatRate } from '../output.ts';
import { withProgress } from '../progress-view.ts';
import { isResumable, resumeCommandOf } from '../resume-command.ts';
import { UnfinishedJob } from '../unfinished-job.ts';
import { UsageError } from '../usage-error.ts';

type Flags = FlagValues<typeof MANIFEST_FLAGS>;

/** `ebs-snapshot manifest SNAPSHOT` */
export async function run(
  [snapshotId = '']: readonly (string | undefined)[],
  flags: Flags,
  context: Context,
): Promise<number> {
  const { output } = context;
  if (flags.output === undefined) {
    throw new UsageError('--output must be given: the file to make');
  }
  output.event('start', { command: 'manifest', snapshotId, output: flags.output });
  const result = await rebuild({ snapshotId, manifest: flags.output }, flags, context);
  output.event('end', result);
  output.message(describe(result, flags.output));
  return EXIT.done;
}

async function rebuild(
  what: Pick<RebuildOptions, 'snapshotId' | 'manifest'>,
  flags: Flags,
  context: Context,
): Promise<RebuildResult> {
  const { stop, env } = context;
  const connection = await openClient(flags, env);
  try {
    return await withProgress(context, 'manifest', (on) =>
      rebuildManifest({
        client: connection.client,
        ...what,
        signal: stop.signal,
        ...toOptions(flags),
        on,
      }),
    );
  } catch (error) {
    if (!isResumable(error)) throw error;
    const resumeCommand = resumeCommandOf(context, ['--resume']);
    throw new UnfinishedJob(error, { snapshotId: undefined, state: '', resumeCommand });
  } finally {
    await connection.close();
  }
}

/** Only what was given: the library's defaults are its own. */
function toOptions(flags: Flags): Partial<RebuildOptions> {
  return given({
    resume: flags.resume,
    maxBytesPerSecond: flags.maxRate,
    maxRequestsPerSecond: flags.maxRequests,
    maxInFlightBytes: flags.memory,
    transport: flags.transport,
  });
}

function describe(result: RebuildResult, path: string): string {
  const { snapshotId, blocksRead, absentBlocks, unchangedBlocks, retries, elapsedMs } = result;
  const sizeBytes = blocksRead * BLOCK_SIZE;
  const parts = [
    `${blocksRead} blocks (${formatBytes(sizeBytes)}) read and checked`,
    `${absentBlocks} absent`,
    ...(unchangedBlocks > 0 ? [`${unchangedBlocks} blocks there already`] : []),
    `${retries} ${retries === 1 ? 'retry' : 'retries'}`,
    `${formatDuration(elapsedMs)} (${formatRate(sizeBytes, elapsedMs)})`,
  ];
  return `manifest of ${snapshotId} is ${path}: ${parts.join(', ')}`;
}
