import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const TASK_FOLDER = '/proc/self/task';

/** Names of the addon's threads in this process. Empty where the system does not tell. */
export async function nativeThreads(): Promise<string[]> {
  const ids = await readdir(TASK_FOLDER).catch(() => []);
  const names = await Promise.all(
    // A thread may end while it is looked at.
    ids.map((id) => readFile(join(TASK_FOLDER, id, 'comm'), 'utf8').catch(() => '')),
  );
  return names.map((name) => name.trim()).filter((name) => name.startsWith('ebs-'));
}
