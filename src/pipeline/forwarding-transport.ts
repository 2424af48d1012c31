import type { Transport } from '../transport/transport.ts';

/** Passes every call on; a layer extends it and overrides the calls that it changes. */
export class ForwardingTransport implements Transport {
  protected readonly inner: Transport;

  constructor(inner: Transport) {
    this.inner = inner;
  }

  startSnapshot(...call: Parameters<Transport['startSnapshot']>): Answer<'startSnapshot'> {
    return this.inner.startSnapshot(...call);
  }

  putSnapshotBlock(...call: Parameters<Transport['putSnapshotBlock']>): Answer<'putSnapshotBlock'> {
    return this.inner.putSnapshotBlock(...call);
  }

  completeSnapshot(...call: Parameters<Transport['completeSnapshot']>): Answer<'completeSnapshot'> {
    return this.inner.completeSnapshot(...call);
  }

  listSnapshotBlocks(
    ...call: Parameters<Transport['listSnapshotBlocks']>
  ): Answer<'listSnapshotBlocks'> {
    return this.inner.listSnapshotBlocks(...call);
  }

  listChangedBlocks(
    ...call: Parameters<Transport['listChangedBlocks']>
  ): Answer<'listChangedBlocks'> {
    return this.inner.listChangedBlocks(...call);
  }

  getSnapshotBlock(...call: Parameters<Transport['getSnapshotBlock']>): Answer<'getSnapshotBlock'> {
    return this.inner.getSnapshotBlock(...call);
  }

  deleteSnapshot(...call: Parameters<Transport['deleteSnapshot']>): Answer<'deleteSnapshot'> {
    return this.inner.deleteSnapshot(...call);
  }

  describeSnapshot(...call: Parameters<Transport['describeSnapshot']>): Answer<'describeSnapshot'> {
    return this.inner.describeSnapshot(...call);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

type Answer<Call extends Exclude<keyof Transport, 'close'>> = ReturnType<Transport[Call]>;
