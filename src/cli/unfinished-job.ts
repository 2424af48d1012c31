/** What an upload or a download leaves when it stops. */
export interface Remains {
  /** Undefined when StartSnapshot was not answered. */
  readonly snapshotId: string | undefined;
  /** What is left of the snapshot: the rest of a sentence that begins with its id. */
  readonly state: string;
  /** The command line that goes on, where something can. */
  readonly resumeCommand: string | undefined;
}

/** An upload that stopped after its snapshot may have been started, or a download that can go on; `cause` says why. */
export class UnfinishedJob extends Error {
  readonly remains: Remains;

  constructor(cause: unknown, remains: Remains) {
    super('the job was not finished', { cause });
    this.name = 'UnfinishedJob';
    this.remains = remains;
  }
}
