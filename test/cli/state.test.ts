import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LocalEbs } from '../../src/local.ts';
import { envOf, runCommand, startCommand, type RunningCommand } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Slow enough that a job is still under way when it is asked. */
const SLOWLY = ['--max-rate', '512K/s', '--memory', '4M'];

async function makeService(): Promise<{ folder: string; env: Record<string, string> }> {
  const folder = await temporaryFolder();
  const service = await LocalEbs.start({ directory: join(folder, 'service') });
  onTestFinished(() => service.close());
  await writeFile(join(folder, 'disk.img'), randomBytes(16 * 1_048_576));
  return { folder, env: envOf(service) };
}

function startUnderWatch(...args: Parameters<typeof startCommand>): RunningCommand {
  const command = startCommand(...args);
  onTestFinished(() => {
    command.child.kill('SIGKILL');
  });
  return command;
}

it('prints the state of an upload on stdout when SIGUSR1 asks, with --json', async () => {
  const { folder, env } = await makeService();
  const args = ['upload', 'disk.img', '--json', ...SLOWLY];
  const { child, result, lineWith } = startUnderWatch(args, { cwd: folder, env });
  await lineWith('"progress"');
  child.kill('SIGUSR1');
  expect(JSON.parse(await lineWith('"state"'))).toMatchObject({
    type: 'state',
    progress: { bytesTotal: 16 * 1_048_576, retries: 0 },
    window: { jobs: 1 },
    spentMs: {},
    throttles: { snapshot: 0, account: 0 },
  });
  child.kill('SIGINT');
  expect((await result).exitCode).toBe(130);
});

it('prints the state of a download on stderr in words, quiet or not', async () => {
  const { folder, env } = await makeService();
  const { stdout } = await runCommand(['upload', 'disk.img'], { cwd: folder, env });
  const args = ['download', stdout.trim(), '-', '--quiet', ...SLOWLY];
  const { child, result } = startUnderWatch(args, { cwd: folder, env });
  await once(child.stdout, 'data');
  child.kill('SIGUSR1');
  let stderr = '';
  while (!stderr.includes('refused')) {
    const [chunk] = (await once(child.stderr, 'data')) as [Buffer];
    stderr += chunk.toString();
  }
  expect(stderr).toMatch(/^download after .+\n {2}progress +.+ of 1 GiB/m);
  expect(stderr).toMatch(/^ {2}in flight +\d+ requests, window \d+$/m);
  expect(stderr).toMatch(/^ {2}limited by +.+ now; so far /m);
  expect(stderr).toMatch(/^ {2}refused +0 retries, 0 throttled/m);
  child.kill('SIGINT');
  expect((await result).exitCode).toBe(130);
});
