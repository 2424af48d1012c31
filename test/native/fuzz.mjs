/**
 * Fuzzes the addon with clang's libFuzzer: `npm run fuzz -- [--seconds=60] [TARGET...]`, TARGET being a file
 * fuzz/TARGET_fuzz.cc; all of them when none is named.
 *
 * What it learned stays in build/native-tests/fuzz/corpus, for the next time, and an input that fails in
 * build/native-tests/fuzz/failures.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isCommand, make, OUT, requireTools } from './toolchain.mjs';

const OLDEST_CLANG = 14;
const NEWEST_CLANG = 24;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
});

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function main() {
  requireTools('make', 'googletest');
  make('fuzz', ['fuzz'], [`CXX_fuzz=${findClang()}`]);
  const targets = positionals.length > 0 ? positionals : allTargets();
  for (const target of targets) {
    if (fuzz(target) !== 0) process.exitCode = 1;
  }
}

/** Debian calls it clang++-14 where no version is the usual one. */
function findClang() {
  const versions = Array.from(
    { length: NEWEST_CLANG - OLDEST_CLANG + 1 },
    (_, i) => NEWEST_CLANG - i,
  );
  const clang = ['clang++', ...versions.map((version) => `clang++-${version}`)].find(isCommand);
  if (clang === undefined) requireTools('clang++');
  return clang;
}

function allTargets() {
  const files = readdirSync(join(import.meta.dirname, 'fuzz'));
  return files.filter((f) => f.endsWith('_fuzz.cc')).map((f) => f.replace('_fuzz.cc', ''));
}

function fuzz(target) {
  const corpus = join(OUT, 'fuzz/corpus', target);
  const failures = join(OUT, 'fuzz/failures', target);
  for (const folder of [corpus, failures]) mkdirSync(folder, { recursive: true });
  const args = [
    `-max_total_time=${options.seconds}`,
    '-timeout=60',
    // A script is of use only when it is long enough to be one.
    '-max_len=1024',
    '-len_control=0',
    `-artifact_prefix=${failures}/`,
    '-print_final_stats=1',
  ];
  return spawnSync(join(OUT, 'fuzz/fuzz', target), [...args, corpus], { stdio: 'inherit' }).status;
}
