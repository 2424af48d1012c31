import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

const FD_FOLDER = '/proc/self/fd';

/** Paths of the files that this process has open below `folder`. Empty where the system does not tell. */
export async function openFilesBelow(folder: string): Promise<string[]> {
  const names = await readdir(FD_FOLDER).catch(() => []);
  const paths = await Promise.all(
    names.map((name) => readlink(join(FD_FOLDER, name)).catch(() => '')),
  );
  return paths.filter((path) => path.startsWith(folder));
}
