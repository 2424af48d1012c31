import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that does not outlive the process, however that ends. */
export interface TemporaryFolder {
  readonly path: string;
  /** Idempotent. */
  remove(): void;
}

/** Makes a folder that is removed when asked, or else when the process exits; only SIGKILL leaves it behind. */
export function makeTemporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'ebs-snapshot-'));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  process.once('exit', remove);
  return {
    path,
    remove: () => {
      process.off('exit', remove);
      remove();
    },
  };
}
