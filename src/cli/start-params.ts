import type { COPY_FLAGS, FlagValues } from './command-table.ts';

/** The flags that every new snapshot has. */
type NewSnapshotFlags = Pick<
  FlagValues<typeof COPY_FLAGS>,
  'parentSnapshotId' | 'kmsKeyArn' | 'clientToken' | 'timeout' | 'description' | 'encrypted' | 'tag'
>;

/** StartSnapshot's parameters among the flags. */
export function paramsOf(flags: NewSnapshotFlags): object {
  return {
    ParentSnapshotId: flags.parentSnapshotId,
    KmsKeyArn: flags.kmsKeyArn,
    ClientToken: flags.clientToken,
    Timeout: flags.timeout,
    Description: flags.description,
    Encrypted: flags.encrypted,
    Tags: flags.tag,
  };
}
