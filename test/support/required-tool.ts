import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * Whether every one of the programs is on this machine. Where it is not, tests are skipped, but never in CI: there a
 * missing program would pass for a proof.
 * @throws {Error} in CI, which names the program that is missing.
 */
export async function haveTools(...names: string[]): Promise<boolean> {
  for (const name of names) {
    if (await isOnPath(name)) continue;
    if (process.env.CI !== undefined) throw new Error(`These tests need ${name}, which is missing`);
    return false;
  }
  return true;
}

async function isOnPath(name: string): Promise<boolean> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = await Promise.allSettled(
    folders.map((folder) => access(join(folder, name), constants.X_OK)),
  );
  return found.some(({ status }) => status === 'fulfilled');
}
