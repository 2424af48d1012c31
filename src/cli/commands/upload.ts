import {
  BLOCK_SIZE,
  uploadSnapshot,
  type SnapshotResult,
  type UploadEvents,
  type UploadOptions,
} from '../../index.ts';
import { openClient } from '../client.ts';
import type { FlagValues, UPLOAD_FLAGS } from '../command-table.ts';
import { given } from '../given.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { formatBytes, formatDuration, formatRate } from '../output.ts';
import { withProgress } from '../progress-view.ts';
import { isResumable, resumeCommandOf } from '../resume-command.ts';
import { snapshotParams } from '../snapshot-params.ts';
import { UnfinishedJob } from '../unfinished-job.ts';
import { UsageError } from '../usage-error.ts';

type Flags = FlagValues<typeof UPLOAD_FLAGS>;

/** `ebs-snapshot upload SOURCE` */
export async function run(
  [source = '']: readonly (string | undefined)[],
  flags: Flags,
  context: Context,
): Promise<number> {
  const { output, stdin } = context;
  if (source === '-' && stdin.isTTY) {
    throw new UsageError('SOURCE is -, but stdin is a terminal: pipe or redirect a disk into it');
  }
  if (flags.changed === '-' && stdin.isTTY) {
    throw new UsageError('--changed is -, but stdin is a terminal: pipe a map into it');
  }
  output.event('start', { command: 'upload', source });
  const result = await upload(source, flags, context);
  output.event('end', result);
  output.message(describe(result));
  output.result(result.snapshotId);
  return EXIT.done;
}

async function upload(source: string, flags: Flags, context: Context): Promise<SnapshotResult> {
  const { stop, env, stdin } = context;
  const connection = await openClient(flags, env);
  let snapshotId: string | undefined;
  try {
    return await withProgress(context, 'upload', (on) =>
      uploadSnapshot({
        client: connection.client,
        source: source === '-' ? stdin : source,
        signal: stop.signal,
        ...toOptions(flags),
        ...given({ changed: flags.changed === '-' ? stdin : flags.changed }),
        on: {
          ...on,
          snapshot: (answer) => {
            snapshotId = answer.SnapshotId;
            announce(answer, context);
          },
        },
      }),
    );
  } catch (error) {
    const resumeCommand = isResumable(error) ? resumeCommandOf(context, ['--resume']) : undefined;
    if (snapshotId === undefined && resumeCommand === undefined) throw error;
    const state = stateLeft(error, flags);
    throw new UnfinishedJob(error, { snapshotId, state, resumeCommand });
  } finally {
    // An upload that fails early leaves stdin unread, and an open pipe would keep the process waiting.
    if (source === '-' || flags.changed === '-') stdin.destroy();
    await connection.close();
  }
}

/** Only what was given: the library's defaults are its own. */
function toOptions(flags: Flags): Partial<UploadOptions> {
  return given({
    params: snapshotParams(flags),
    snapshotId: flags.snapshotId,
    range: flags.range,
    zeroBlocks: flags.zeroBlocks,
    waitUntil: flags.wait,
    onFailure: flags.onFailure,
    manifest: flags.manifest,
    resume: flags.resume,
    base: flags.base,
    verify: flags.verify,
    maxBytesPerSecond: flags.maxRate,
    maxRequestsPerSecond: flags.maxRequests,
    maxInFlightBytes: flags.memory,
    transport: flags.transport,
  });
}

function announce(answer: UploadEvents['snapshot'], { output }: Context): void {
  output.event('snapshot', {
    snapshotId: answer.SnapshotId,
    volumeSizeGiB: answer.VolumeSize,
    blockSize: answer.BlockSize,
    status: answer.Status,
    startTime: answer.StartTime,
    ownerId: answer.OwnerId,
    description: answer.Description,
    parentSnapshotId: answer.ParentSnapshotId,
    kmsKeyArn: answer.KmsKeyArn,
    sseType: answer.SseType,
    tags: answer.Tags,
  });
  output.message(`snapshot ${answer.SnapshotId} started, ${answer.VolumeSize ?? 0} GiB`);
}

/** What is left behind, and until when. */
function stateLeft(error: unknown, flags: Flags): string {
  const { code = '' } = error as { code?: string };
  if (code === 'ERR_EBS_SNAPSHOT_DELETED') return 'is gone';
  if (code === 'ERR_EBS_SNAPSHOT_SEALED') return 'is left as another completed it';
  if (code === 'ERR_EBS_SNAPSHOT_EXPIRED') return 'is left in state error; delete it';
  if (code === 'ERR_EBS_DIFFERENT') return 'is left completed, and is not what was sent; delete it';
  if (code === 'ERR_EBS_UNCONFIRMED') return 'was accepted; do not upload again before it is known';
  if (flags.onFailure === 'delete') return 'was asked to be deleted (--on-failure delete)';
  if (code === 'ERR_EBS_SNAPSHOT_FAILED') return 'is left in state error; delete it';
  const minutes = flags.timeout ?? 60;
  return `is left pending; AWS cancels it after ${minutes} minutes without a block`;
}

function describe(result: SnapshotResult): string {
  const { snapshotId, status, bytesRead, bytesSent, zeroBlocks, omittedBlocks, retries } = result;
  const { unchangedBlocks } = result;
  const parts = [
    `${formatBytes(bytesRead)} read`,
    `${formatBytes(bytesSent)} sent in ${bytesSent / BLOCK_SIZE} blocks`,
    `${zeroBlocks} blocks zero${omittedBlocks > 0 ? `, ${omittedBlocks} of them left out` : ''}`,
    ...(unchangedBlocks > 0 ? [`${unchangedBlocks} blocks there already`] : []),
    `${retries} ${retries === 1 ? 'retry' : 'retries'}`,
    `${formatDuration(result.elapsedMs)} (${formatRate(bytesSent, result.elapsedMs)})`,
  ];
  return `snapshot ${snapshotId} ${STATE_WORDS[status]}: ${parts.join(', ')}`;
}

const STATE_WORDS: Readonly<Record<SnapshotResult['status'], string>> = {
  completed: 'completed',
  pending: 'accepted, not waited for',
  sent: 'has this part, and waits for `ebs-snapshot complete`',
};
