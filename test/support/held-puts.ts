import type { EBSClient } from '@aws-sdk/client-ebs';

/** Holds the PutSnapshotBlock calls of a client before they are sent, so that a job stands still where its budget ends. */
export class HeldPuts {
  #heldCount = 0;
  #letGo!: () => void;
  readonly #isOpen = new Promise<void>((resolve) => (this.#letGo = resolve));

  constructor(client: EBSClient) {
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName === 'PutSnapshotBlockCommand') {
            this.#heldCount += 1;
            await this.#isOpen;
          }
          return next(args);
        },
      { name: 'heldPuts', step: 'initialize' },
    );
  }

  /** Calls that were held so far. */
  get heldCount(): number {
    return this.#heldCount;
  }

  /** Lets them go, and all that come. */
  open(): void {
    this.#letGo();
  }
}
