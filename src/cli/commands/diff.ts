import { diffSnapshots, type ChangedRange, type DiffSummary } from '../../index.ts';
import { openClient } from '../client.ts';
import type { DIFF_FLAGS, FlagValues } from '../command-table.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { given } from '../given.ts';
import { formatBytes, formatDuration } from '../output.ts';
import { withProgress } from '../progress-view.ts';

type Flags = FlagValues<typeof DIFF_FLAGS>;

const GIB = 1024 ** 3;

/** `ebs-snapshot diff FIRST SECOND` */
export async function run(
  [firstSnapshotId = '', secondSnapshotId = '']: readonly (string | undefined)[],
  flags: Flags,
  context: Context,
): Promise<number> {
  const { output } = context;
  output.event('start', { command: 'diff', firstSnapshotId, secondSnapshotId });
  const summary = await compare({ firstSnapshotId, secondSnapshotId }, flags, context);
  output.event('end', summary);
  output.message(describe(summary));
  return flags.exitCode === true && !summary.isEqual ? EXIT.different : EXIT.done;
}

async function compare(
  ids: { readonly firstSnapshotId: string; readonly secondSnapshotId: string },
  flags: Flags,
  context: Context,
): Promise<DiffSummary> {
  const { stop, env, output } = context;
  const connection = await openClient(flags, env);
  try {
    return await withProgress(context, 'compare', async (on) => {
      const diff = diffSnapshots({
        client: connection.client,
        ...ids,
        signal: stop.signal,
        ...given({
          byDigest: flags.byDigest,
          maxBytesPerSecond: flags.maxRate,
          maxRequestsPerSecond: flags.maxRequests,
          maxInFlightBytes: flags.memory,
          transport: flags.transport,
        }),
        on,
      });
      for await (const range of diff) {
        output.event('range', range);
        output.result(rangeLine(range));
      }
      return diff.summary;
    });
  } finally {
    await connection.close();
  }
}

/** Offset and length in bytes, as a script wants them, and what happened there. */
function rangeLine({ start, length, change }: ChangedRange): string {
  return `${String(start).padStart(14)} ${String(length).padStart(14)} ${change}`;
}

function describe(summary: DiffSummary): string {
  const { firstSnapshotId, secondSnapshotId, changedBlocks, changedBytes, blocksRead } = summary;
  const { firstVolumeSizeGiB, secondVolumeSizeGiB } = summary;
  const percent = (100 * changedBytes) / (secondVolumeSizeGiB * GIB);
  const parts = [
    `${formatBytes(changedBytes)} in ${changedBlocks} blocks, ${percent.toFixed(2)} % of the volume`,
    ...(firstVolumeSizeGiB === secondVolumeSizeGiB
      ? []
      : [`volume ${firstVolumeSizeGiB} GiB, then ${secondVolumeSizeGiB} GiB`]),
    `compared by ${summary.byDigest ? `digest, ${blocksRead} blocks read` : 'what was written'}`,
    ...(summary.isRelated ? [] : ['not of one lineage']),
    formatDuration(summary.elapsedMs),
  ];
  const verb = summary.isEqual ? 'equals' : 'differs from';
  return `snapshot ${secondSnapshotId} ${verb} ${firstSnapshotId}: ${parts.join(', ')}`;
}
