import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';

/** A program to run, or why there is none. */
export type Client = { readonly program: string } | { readonly reason: string };

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/clients/', import.meta.url));
const COLDSNAP_VERSION = '0.11.0';
const PYTHON_PACKAGES = ['boto3==1.43.11', 'awscli==1.45.11', 'pytest==9.0.2'];
/** What flexible-snapshot-proxy imports beside boto3. */
const PROXY_PACKAGES = ['numpy', 'joblib', 'zstandard'];

/** coldsnap: where COLDSNAP says, else built from its registry once, which takes some ten minutes on two cores. */
export function findColdsnap(): Promise<Client> {
  const given = process.env.COLDSNAP;
  if (given !== undefined) return Promise.resolve({ program: given });
  const root = join(CACHE, `coldsnap-${COLDSNAP_VERSION}`);
  return install({
    program: join(root, 'bin/coldsnap'),
    manager: 'cargo',
    steps: [['cargo', 'install', '--locked', '--root', root, `coldsnap@${COLDSNAP_VERSION}`]],
  });
}

/** A Python with boto3, the AWS CLI and pytest in an environment of its own; `bin/aws` is beside it. */
export function findPython(): Promise<Client> {
  const environment = join(CACHE, 'python');
  const program = join(environment, 'bin/python');
  return install({
    program,
    manager: 'python3',
    steps: [
      ['python3', '-m', 'venv', environment],
      [program, '-m', 'pip', 'install', '--quiet', ...PYTHON_PACKAGES],
    ],
    // Of the packages this is the one that a broken installation would lack.
    proof: join(environment, 'bin/pytest'),
  });
}

/** flexible-snapshot-proxy: in no package registry, so a checkout is needed. The program is its main.py. */
export async function findProxy(python: Client): Promise<Client> {
  const checkout = process.env.FLEXIBLE_SNAPSHOT_PROXY;
  if (checkout === undefined) {
    return { reason: 'it is in no package registry: FLEXIBLE_SNAPSHOT_PROXY names a checkout' };
  }
  if ('reason' in python) return python;
  await run(python.program, ['-m', 'pip', 'install', '--quiet', ...PROXY_PACKAGES]);
  return { program: join(checkout, 'src/main.py') };
}

/** Returns the program of a client; a test without one is skipped with the reason. */
export function programOf(client: Client, { skip }: TestContext): string {
  return 'reason' in client ? skip(client.reason) : client.program;
}

interface Installation {
  readonly program: string;
  /** The program that installs; without it the client is left out, even in CI. */
  readonly manager: string;
  readonly steps: readonly (readonly [string, ...string[]])[];
  /** What is there when the steps have been taken. Default: the program. */
  readonly proof?: string;
}

async function install({ program, manager, steps, proof }: Installation): Promise<Client> {
  if (existsSync(proof ?? program)) return { program };
  try {
    await run(manager, ['--version']);
  } catch {
    return { reason: `${manager} is not installed` };
  }
  try {
    for (const [command, ...args] of steps) {
      await run(command, args, { maxBuffer: 64 * 1_048_576 });
    }
    return { program };
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return { reason: `${manager} could not install it: ${String(error).split('\n')[0] ?? ''}` };
  }
}
