import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLEAN_ENV } from './command.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Makes `ebs-snapshot` a program in `folder`/bin, and returns the PATH on which it is found. */
export async function putCommandOnPath(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const script = join(bin, 'ebs-snapshot');
  await writeFile(script, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  await chmod(script, 0o755);
  return `${bin}:${CLEAN_ENV.PATH ?? ''}`;
}
