import { verifySnapshot, type DifferingRange, type VerifyResult } from '../../index.ts';
import { openClient } from '../client.ts';
import type { FlagValues, VERIFY_FLAGS } from '../command-table.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { given } from '../given.ts';
import { formatBytes, formatDuration } from '../output.ts';
import { withProgress } from '../progress-view.ts';
import { UsageError } from '../usage-error.ts';

type Flags = FlagValues<typeof VERIFY_FLAGS>;

const GIB = 1024 ** 3;

/** `ebs-snapshot verify SNAPSHOT [SOURCE]` */
export async function run(
  [snapshotId = '', source]: readonly (string | undefined)[],
  flags: Flags,
  context: Context,
): Promise<number> {
  const { output, stdin } = context;
  if (source === '-' && stdin.isTTY) {
    throw new UsageError('SOURCE is -, but stdin is a terminal: pipe or redirect a disk into it');
  }
  output.event('start', { command: 'verify', snapshotId, ...given({ source }) });
  const result = await verify({ snapshotId, source }, flags, context);
  output.event('end', result);
  output.message(describe(result));
  return result.isEqual ? EXIT.done : EXIT.different;
}

async function verify(
  { snapshotId, source }: { readonly snapshotId: string; readonly source: string | undefined },
  flags: Flags,
  context: Context,
): Promise<VerifyResult> {
  const { stop, env, stdin, output } = context;
  const connection = await openClient(flags, env);
  try {
    return await withProgress(context, 'verify', (on) =>
      verifySnapshot({
        client: connection.client,
        snapshotId,
        signal: stop.signal,
        ...given({
          source: source === '-' ? stdin : source,
          manifest: flags.manifest,
          offline: flags.offline,
          maxBytesPerSecond: flags.maxRate,
          maxRequestsPerSecond: flags.maxRequests,
          maxInFlightBytes: flags.memory,
          transport: flags.transport,
        }),
        on: {
          ...on,
          difference: (range) => {
            output.event('difference', range);
            output.result(rangeLine(range));
          },
        },
      }),
    );
  } finally {
    if (source === '-') stdin.destroy();
    await connection.close();
  }
}

/** Offset and length in bytes, as a script wants them, and what is wrong there. */
function rangeLine({ start, length, fault }: DifferingRange): string {
  return `${String(start).padStart(14)} ${String(length).padStart(14)} ${fault}`;
}

function describe(result: VerifyResult): string {
  const { snapshotId = '', isEqual, differingBytes, differingRanges } = result;
  const verdict = isEqual
    ? 'is as it should be'
    : `differs in ${differingRanges} ${differingRanges === 1 ? 'range' : 'ranges'}, ` +
      formatBytes(differingBytes);
  const parts = [
    ...sizeNotes(result),
    `${result.blocksRead} blocks read and checked`,
    ...(result.uncheckedBlocks > 0 ? [`${result.uncheckedBlocks} unknown to the manifest`] : []),
    `${result.retries} ${result.retries === 1 ? 'retry' : 'retries'}`,
    formatDuration(result.elapsedMs),
  ];
  return `snapshot ${snapshotId} ${verdict}: ${parts.join(', ')}`;
}

/** A source of another size is named: zeros are expected behind a shorter one. */
function sizeNotes({ sourceSizeBytes, volumeSizeGiB }: VerifyResult): string[] {
  const volumeBytes = volumeSizeGiB * GIB;
  if (sourceSizeBytes === undefined || sourceSizeBytes === volumeBytes) return [];
  const difference = formatBytes(Math.abs(volumeBytes - sourceSizeBytes));
  return sourceSizeBytes < volumeBytes
    ? [`SOURCE ${difference} shorter than the volume`]
    : [`SOURCE ${difference} longer than the volume`];
}
