import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { whileListening } from '../harness.js';

const COMMAND = join(import.meta.dirname, '../../dist/cli/main.js');
/** What is before the service is measured, not the disk below it. */
const MEMORY_FOLDER = '/dev/shm';

/**
 * Runs the local service in a process of its own until `use` is done, and removes what it kept.
 * @template T
 * @param {string} folder for its data, where there is no folder in memory
 * @param {(service: { endpoint: string, pid: number }) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withLocalService(folder, use) {
  const home = existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : folder;
  const parent = mkdtempSync(join(home, 'ebs-bench-'));
  // A benchmark that is interrupted leaves as at any other exit.
  const remove = () => rmSync(parent, { recursive: true, force: true });
  process.once('exit', remove);
  // The default credentials are what clients sign with.
  const env = { PATH: process.env.PATH };
  const words = [COMMAND, 'serve', '--data', join(parent, 'data')];
  try {
    return await whileListening(process.execPath, words, { env }, use);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
