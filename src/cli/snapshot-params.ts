import type { UploadOptions } from '../index.ts';
import type { COPY_FLAGS, FlagValues, START_FLAGS } from './command-table.ts';
import { given } from './given.ts';

/** The flags that say what a snapshot is, as StartSnapshot's parameters; only those that were given. */
export function snapshotParams(
  flags: FlagValues<typeof START_FLAGS> | FlagValues<typeof COPY_FLAGS>,
): NonNullable<UploadOptions['params']> {
  return given({
    VolumeSize: 'volumeSize' in flags ? flags.volumeSize : undefined,
    ParentSnapshotId: flags.parentSnapshotId,
    KmsKeyArn: flags.kmsKeyArn,
    ClientToken: flags.clientToken,
    Timeout: flags.timeout,
    Description: flags.description,
    Encrypted: flags.encrypted,
    Tags: flags.tag,
  });
}
