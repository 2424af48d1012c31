import { startSnapshot, type StartOptions } from '../../index.ts';
import { openClient } from '../client.ts';
import type { FlagValues, START_FLAGS } from '../command-table.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { snapshotParams } from '../snapshot-params.ts';

/** `ebs-snapshot start` */
export async function run(
  _arguments: readonly (string | undefined)[],
  flags: FlagValues<typeof START_FLAGS>,
  { output, stop, env }: Context,
): Promise<number> {
  output.event('start', { command: 'start' });
  const connection = await openClient(flags, env);
  try {
    const params = snapshotParams(flags) as StartOptions['params'];
    const { client } = connection;
    const { SnapshotId, VolumeSize } = await startSnapshot({ client, params, signal: stop.signal });
    output.event('end', { snapshotId: SnapshotId, volumeSizeGiB: VolumeSize });
    output.message(`snapshot ${SnapshotId} started, ${VolumeSize ?? 0} GiB`);
    output.result(SnapshotId);
    return EXIT.done;
  } finally {
    await connection.close();
  }
}
