import { mkdir, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

const SUFFIX = '.ebs-manifest';

/**
 * Where `download` remembers what it has written: beside a file, and for a device, beside which nothing can be kept, in the
 * user's folder for state (XDG Base Directory Specification), which is made.
 */
export async function manifestPathFor(target: string, env: NodeJS.ProcessEnv): Promise<string> {
  const found = await stat(target).catch(() => undefined);
  if (found?.isBlockDevice() !== true) return `${target}${SUFFIX}`;
  const state = env.XDG_STATE_HOME ?? join(env.HOME ?? homedir(), '.local', 'state');
  const folder = join(state, 'ebs-snapshot');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = (await realpath(target)).slice(1).replaceAll('/', '-');
  return join(folder, `${name}${SUFFIX}`);
}
