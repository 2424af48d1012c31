import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { run } from '../harness.js';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'build/bench/read_floor');

/** The project's own kernels, so that a comparison shows the engine around them alone. */
const SOURCES = [
  'bench/floor/read_floor.cc',
  'native/block_facts.cc',
  'native/cpu_features.cc',
  'native/sha256.cc',
  'native/sha256_arm.cc',
  'native/sha256_x86.cc',
  'native/zero_scan.cc',
];

/**
 * Compiles the floor program as the addon is compiled (binding.gyp), and returns its path.
 * @returns {Promise<string>}
 */
export async function buildFloor() {
  mkdirSync(dirname(PROGRAM), { recursive: true });
  const flags = ['-std=c++20', '-O3', '-fPIC', '-Wall', '-Wextra', '-pthread'];
  const sources = SOURCES.map((path) => join(ROOT, path));
  const compiler = process.env.CXX ?? 'g++';
  await run(compiler, [...flags, `-I${join(ROOT, 'native')}`, ...sources, '-o', PROGRAM]);
  return PROGRAM;
}
