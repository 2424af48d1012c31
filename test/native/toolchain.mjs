/** What test/native/Makefile needs on this machine, and the call of it: for run.mjs and fuzz.mjs. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');
export const OUT = join(ROOT, 'build/native-tests');

const GTEST_DIR = process.env.GTEST_DIR ?? '/usr/src/googletest/googletest';

/** Debian package of each tool. */
const PACKAGES = {
  make: 'make',
  'g++': 'g++',
  'clang++': 'clang libclang-rt-dev',
  'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu',
  'qemu-aarch64': 'qemu-user',
  'qemu-x86_64': 'qemu-user',
  googletest: 'googletest',
  openssl: 'libssl-dev',
};

/** Throws one sentence that names what is missing, and the packages to install. */
export function requireTools(...tools) {
  const missing = tools.filter((tool) => !isThere(tool));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => PACKAGES[tool]))].join(' ');
  throw new Error(
    `The native tests need ${missing.join(', ')}: install it, as by 'apt-get install ${packages}'.`,
  );
}

function isThere(tool) {
  if (tool === 'googletest') return existsSync(join(GTEST_DIR, 'src/gtest-all.cc'));
  if (tool === 'openssl') return hasHeader('openssl/sha.h');
  return isCommand(tool);
}

export function isCommand(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
}

function hasHeader(name) {
  // Without a compiler, that is what is missing.
  if (!isCommand('g++')) return true;
  const args = ['-fsyntax-only', '-x', 'c++', '-'];
  return spawnSync('g++', args, { input: `#include <${name}>\n` }).status === 0;
}

/** Makes the goals in one configuration of the Makefile; throws with the compiler's log. */
export function make(config, goals, variables = []) {
  const args = ['-s', `-j${availableParallelism()}`, `CONFIG=${config}`, `GTEST_DIR=${GTEST_DIR}`];
  const result = spawnSync('make', [...args, ...variables, ...goals], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    maxBuffer: Infinity,
  });
  if (result.status === 0) return;
  throw new Error(`The configuration ${config} could not be built:\n${result.stderr}`);
}
