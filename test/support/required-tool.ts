import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

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

/**
 * Whether programs that include a header, as `openssl/ssl.h`, can be compiled; for the rest as {@link haveTools}.
 * @throws {Error} in CI, which names the header that is missing.
 */
export async function haveHeader(name: string): Promise<boolean> {
  const compiler = process.env.CXX ?? 'g++';
  const preprocess = ['-E', '-x', 'c++', '-include', name, '/dev/null', '-o', '/dev/null'];
  try {
    await promisify(execFile)(compiler, preprocess);
    return true;
  } catch (error) {
    if (process.env.CI === undefined) return false;
    throw new Error(`These tests need ${compiler} and ${name}`, { cause: error });
  }
}

async function isOnPath(name: string): Promise<boolean> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = await Promise.allSettled(
    folders.map((folder) => access(join(folder, name), constants.X_OK)),
  );
  return found.some(({ status }) => status === 'fulfilled');
}
