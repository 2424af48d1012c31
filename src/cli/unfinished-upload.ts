/** An upload that stopped after its snapshot was started; `cause` says why, `remains` what is left of it. */
export class UnfinishedUpload extends Error {
  readonly snapshotId: string;
  readonly remains: string;

  constructor(cause: unknown, snapshotId: string, remains: string) {
    super('the upload was not finished', { cause });
    this.name = 'UnfinishedUpload';
    this.snapshotId = snapshotId;
    this.remains = remains;
  }
}
