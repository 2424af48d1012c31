import { completeSnapshot } from '../../index.ts';
import { openClient } from '../client.ts';
import type { COMPLETE_FLAGS, FlagValues } from '../command-table.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { given } from '../given.ts';
import { formatDuration } from '../output.ts';
import { isResumable, resumeCommandOf } from '../resume-command.ts';
import { UnfinishedJob } from '../unfinished-job.ts';

/** `ebs-snapshot complete SNAPSHOT` */
export async function run(
  [snapshotId = '']: readonly (string | undefined)[],
  flags: FlagValues<typeof COMPLETE_FLAGS>,
  context: Context,
): Promise<number> {
  const { output, stop, env } = context;
  const { manifest: manifests = [], wait } = flags;
  output.event('start', { command: 'complete', snapshotId, manifests });
  const connection = await openClient(flags, env);
  try {
    const { client } = connection;
    const { signal } = stop;
    const waiting = given({ waitUntil: wait });
    const result = await completeSnapshot({ client, snapshotId, manifests, signal, ...waiting });
    output.event('end', result);
    const state = result.status === 'completed' ? 'completed' : 'accepted, not waited for';
    const facts = `${result.partsCount} parts, ${result.changedBlocksCount} blocks`;
    output.message(
      `snapshot ${snapshotId} ${state}: ${facts}, ${formatDuration(result.elapsedMs)}`,
    );
    output.result(snapshotId);
    return EXIT.done;
  } catch (error) {
    if (!isResumable(error)) throw error;
    const resumeCommand = resumeCommandOf(context);
    throw new UnfinishedJob(error, { snapshotId, state: 'is not completed', resumeCommand });
  } finally {
    await connection.close();
  }
}
