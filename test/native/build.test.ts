import { execFile } from 'node:child_process';
import { appendFile, cp, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('native/build.mjs', () => {
  it('says in one line what is missing', async () => {
    const { exitCode, stdout, stderr } = await build(await checkout(), { PATH: '/nonexistent' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(
      /^ebs-snapshot-stream: the native addon cannot be compiled: a C\+\+ compiler, make, python3 not found\. .+\n$/,
    );
  });

  it('does not take another compiler than the one that CXX names', async () => {
    const env = { PATH: process.env.PATH ?? '', CXX: '/nonexistent/g++ -m64' };
    const { exitCode, stderr } = await build(await checkout(), env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('a C++ compiler not found');
  });

  it('shows the whole log when compiling fails', async () => {
    const folder = await checkout();
    await writeFile(join(folder, 'native/addon.cc'), '#error "on purpose"\n');
    const { exitCode, stderr } = await build(folder, { PATH: process.env.PATH ?? '' });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('could not be compiled');
    expect(stderr).toContain('on purpose');
  });

  it('does nothing when nothing has changed', async () => {
    const folder = await checkout();
    const tools = await compilerOfNothing();
    const first = await build(folder, { PATH: `${tools}:${process.env.PATH ?? ''}` });
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toBe('ebs-snapshot-stream: the native addon is compiled\n');
    // Without tools: were there anything to compile, it would fail.
    const second = await build(folder, { PATH: '/nonexistent' });
    expect(second).toMatchObject({ exitCode: 0, stderr: '' });
    expect(second.stdout).toBe('ebs-snapshot-stream: the native addon is up to date\n');
    await appendFile(join(folder, 'native/sizes.h'), '\n');
    expect((await build(folder, { PATH: '/nonexistent' })).exitCode).toBe(1);
  });
});

/** A folder with a g++ that makes empty files. */
async function compilerOfNothing(): Promise<string> {
  const folder = await temporaryFolder();
  const script =
    '#!/bin/sh\n' +
    'while [ $# -gt 0 ]; do case "$1" in -o | -MF) shift; : >"$1" ;; esac; shift; done\n';
  await writeFile(join(folder, 'g++'), script, { mode: 0o755 });
  return folder;
}

/** A folder in which the script finds all that it finds in the checkout, and nothing built. */
async function checkout(): Promise<string> {
  const folder = await temporaryFolder();
  await cp(join(ROOT, 'native'), join(folder, 'native'), { recursive: true });
  await cp(join(ROOT, 'binding.gyp'), join(folder, 'binding.gyp'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function build(
  folder: string,
  env: Record<string, string>,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const script = join(folder, 'native/build.mjs');
  try {
    const options = { env: { ...env, HOME: dirname(folder) } };
    const output = await promisify(execFile)(process.execPath, [script], options);
    return { exitCode: 0, ...output };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { exitCode: code, stdout, stderr };
  }
}
