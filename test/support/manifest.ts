import { createHash } from 'node:crypto';
import type { ManifestFile } from '../../src/manifest/manifest-file.ts';
import type { ManifestFacts } from '../../src/manifest/manifest-facts.ts';

/** Facts of a snapshot that is about to be started. */
export function plannedFacts(changes: Partial<ManifestFacts> = {}): ManifestFacts {
  return {
    state: 'planned',
    volumeSizeGiB: 1,
    clientToken: 'token-1',
    parameters: { Description: 'Ein Schnappschuß', Tags: [{ Key: 'a', Value: 'b' }] },
    zeroBlocks: 'write',
    ...changes,
  };
}

/** A digest that tells its number apart from every other. */
export function digestNumber(number: number): Buffer {
  return createHash('sha256').update(String(number)).digest();
}

/** A file in memory that remembers every write and sync, to be cut off between any two. */
export class RecordingFile implements ManifestFile {
  readonly path = 'in memory';
  /** What was done, in order. */
  readonly log: (FileWrite | 'sync')[] = [];
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  read(bytes: Buffer, offset: number): Promise<number> {
    return Promise.resolve(this.bytes.subarray(offset).copy(bytes));
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    this.log.push({ offset, bytes: Buffer.from(bytes) });
    this.bytes.set(bytes, offset);
    return Promise.resolve();
  }

  sync(): Promise<void> {
    this.log.push('sync');
    return Promise.resolve();
  }

  size(): Promise<number> {
    return Promise.resolve(this.bytes.byteLength);
  }

  resize(): Promise<void> {
    return Promise.reject(new Error('of fixed size'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** One write. */
export interface FileWrite {
  readonly offset: number;
  readonly bytes: Buffer;
}
