import {
  copySnapshot,
  type CopyOutcome,
  type CopyResult,
  type CopyTarget,
  type SnapshotResult,
} from '../../index.ts';
import { clientOf, openClient, type ClientHandle } from '../client.ts';
import type { COPY_FLAGS, FlagValues } from '../command-table.ts';
import type { Context } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { given } from '../given.ts';
import { formatBytes, formatDuration } from '../output.ts';
import { withProgress } from '../progress-view.ts';
import { isResumable, resumeCommandOf } from '../resume-command.ts';
import { snapshotParams } from '../snapshot-params.ts';
import { UnfinishedJob } from '../unfinished-job.ts';
import { UsageError } from '../usage-error.ts';

type Flags = FlagValues<typeof COPY_FLAGS>;

const REGION_PLACE = '{region}';

/** `ebs-snapshot copy SNAPSHOT` */
export async function run(
  [snapshotId = '']: readonly (string | undefined)[],
  flags: Flags,
  context: Context,
): Promise<number> {
  const { output } = context;
  const regions = flags.toRegion?.split(',') ?? [undefined];
  if (regions.length > 1 && flags.manifest?.includes(REGION_PLACE) === false) {
    throw new UsageError(
      `--manifest must have ${REGION_PLACE} in it when there are several regions`,
    );
  }
  output.event('start', { command: 'copy', snapshotId, ...given({ regions: flags.toRegion }) });
  const result = await copy({ snapshotId, regions }, flags, context);
  output.event('end', {
    ...result,
    targets: result.targets.map(({ result: made }) => made ?? null),
  });
  for (const outcome of result.targets) tell(outcome, result, context);
  const failure = result.targets.find(({ error }) => error !== undefined)?.error;
  return failure === undefined ? EXIT.done : exitCodeOf((failure as { code?: string }).code);
}

async function copy(
  {
    snapshotId,
    regions,
  }: { readonly snapshotId: string; readonly regions: readonly (string | undefined)[] },
  flags: Flags,
  context: Context,
): Promise<CopyResult> {
  const { stop, env, output } = context;
  // The local service has all regions, so that --region does not narrow it down.
  const connection = await openClient(flags, env, { isLocalNarrow: false });
  const targets: ClientHandle[] = [];
  try {
    for (const region of regions)
      targets.push(await openTarget(region, connection, { flags, env }));
    return await withProgress(context, 'copy', (on) =>
      copySnapshot({
        client: connection.client,
        snapshotId,
        targets: targets.map(({ client }, index) => ({
          client,
          ...toTarget(flags, regions[index]),
        })),
        signal: stop.signal,
        ...given({
          maxBytesPerSecond: flags.maxRate,
          maxRequestsPerSecond: flags.maxRequests,
          maxInFlightBytes: flags.memory,
          transport: flags.transport,
        }),
        on: {
          ...on,
          snapshot: ({ target, answer }) => {
            output.event('snapshot', { snapshotId: answer.SnapshotId, target });
            output.message(`snapshot ${answer.SnapshotId} started`);
          },
        },
      }),
    );
  } catch (error) {
    if (!isResumable(error)) throw error;
    const { snapshotId: copyId } = error as { snapshotId?: string };
    const resumeCommand = resumeCommandOf(context, ['--resume']);
    throw new UnfinishedJob(error, {
      snapshotId: copyId,
      state: 'is left pending',
      resumeCommand,
    });
  } finally {
    for (const target of targets) await target.close();
    await connection.close();
  }
}

/** Region, profile and endpoint are those of the source where no flag says otherwise. */
async function openTarget(
  region: string | undefined,
  { service }: ClientHandle,
  { flags, env }: { readonly flags: Flags; readonly env: NodeJS.ProcessEnv },
): Promise<ClientHandle> {
  const endpointUrl = flags.toEndpointUrl ?? (region === undefined ? flags.endpointUrl : undefined);
  if (service !== undefined && flags.toEndpointUrl === undefined) {
    const client = clientOf(service, region ?? flags.region);
    const close = (): Promise<void> => {
      client.destroy();
      return Promise.resolve();
    };
    return { client, close };
  }
  const profile = flags.toProfile ?? flags.profile;
  return openClient(given({ region: region ?? flags.region, profile, endpointUrl }), env);
}

function toTarget(flags: Flags, region = ''): CopyTarget {
  return given({
    params: snapshotParams(flags),
    waitUntil: flags.wait,
    onFailure: flags.onFailure,
    manifest: flags.manifest?.replaceAll(REGION_PLACE, region),
    resume: flags.resume,
    base: flags.base,
    verify: flags.verify,
    transport: flags.transport,
  });
}

function tell({ result, error }: CopyOutcome, copied: CopyResult, { output }: Context): void {
  if (result !== undefined) {
    output.message(describe(result, copied));
    output.result(result.snapshotId);
  } else if (error !== undefined) {
    const { code, snapshotId } = error as { code?: string; snapshotId?: string };
    output.error(error.message);
    output.event('error', { code, message: error.message, snapshotId });
  }
}

function describe(
  { snapshotId, bytesSent, unchangedBlocks }: SnapshotResult,
  { snapshotId: from, blocksRead, absentBlocks, elapsedMs }: CopyResult,
): string {
  const parts = [
    `${blocksRead} blocks read and checked`,
    `${formatBytes(bytesSent)} sent`,
    ...(unchangedBlocks > 0 ? [`${unchangedBlocks} blocks there already`] : []),
    `${absentBlocks} absent`,
    formatDuration(elapsedMs),
  ];
  return `snapshot ${snapshotId} completed, a copy of ${from}: ${parts.join(', ')}`;
}
