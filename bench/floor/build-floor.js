import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from '../harness.js';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'build/bench');

/** The project's own kernels, so that a comparison shows the engine around them alone. */
const KERNELS = [
  'native/block_facts.cc',
  'native/cpu_features.cc',
  'native/sha256.cc',
  'native/sha256_arm.cc',
  'native/sha256_x86.cc',
  'native/zero_scan.cc',
];

/** What speaks HTTP, and TLS by OpenSSL. */
const HTTP = ['bench/floor/connection.cc', 'bench/floor/message_reader.cc'];
const OPENSSL = ['-lssl', '-lcrypto'];

/** What each program is made of, beside the file of its own name. */
const PROGRAMS = {
  download_floor: {
    sources: [...KERNELS, ...HTTP, 'bench/floor/client.cc', 'bench/floor/signer.cc'],
    libraries: OPENSSL,
  },
  read_floor: { sources: KERNELS, libraries: [] },
  sink: { sources: [...HTTP, 'bench/floor/self_signed.cc'], libraries: OPENSSL },
  upload_floor: {
    sources: [...KERNELS, ...HTTP, 'bench/floor/client.cc', 'bench/floor/signer.cc'],
    libraries: OPENSSL,
  },
};

/**
 * Compiles a program of this folder as the addon is compiled (binding.gyp), unless that has been done, and returns its
 * path.
 * @param {keyof typeof PROGRAMS} name
 * @returns {Promise<string>}
 */
export async function buildFloor(name) {
  mkdirSync(FOLDER, { recursive: true });
  const program = join(FOLDER, name);
  if (isYounger(program, ['bench/floor', 'native'])) return program;
  const { sources, libraries } = PROGRAMS[name];
  const flags = ['-std=c++20', '-O3', '-fPIC', '-Wall', '-Wextra', '-pthread'];
  const files = [`bench/floor/${name}.cc`, 'bench/floor/usage.cc', ...sources];
  const paths = files.map((path) => join(ROOT, path));
  const compiler = process.env.CXX ?? 'g++';
  const include = `-I${join(ROOT, 'native')}`;
  await run(compiler, [...flags, include, ...paths, '-o', program, ...libraries]);
  return program;
}

/** Whether a program is there, and younger than every file of the folders. */
function isYounger(program, folders) {
  if (!existsSync(program)) return false;
  const { mtimeMs } = statSync(program);
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name)),
  );
  return files.every((file) => statSync(file).mtimeMs < mtimeMs);
}
