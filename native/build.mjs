/**
 * Compiles the addon with node-gyp: `node native/build.mjs [--strict] [--sanitize=address|thread|undefined]`.
 *
 * Quiet when all goes well, and quick when nothing has changed since the last build. `--strict` (the default where the
 * environment variable CI is set) makes warnings errors. Compiler, make and Python are found as node-gyp does it: CXX,
 * MAKE and PYTHON name others than the usual.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '..');
const ADDON = join(ROOT, 'build/Release/ebs_snapshot_stream.node');
/** What the addon was built from, so that the same is not built twice. */
const STAMP = join(ROOT, 'build/addon.sha256');

const require = createRequire(import.meta.url);
const { values: options } = parseArgs({
  options: {
    strict: { type: 'boolean', default: Boolean(process.env.CI) },
    sanitize: { type: 'string', default: '' },
  },
});

main();

function main() {
  const variables = [
    `-Dstrict=${options.strict}`,
    `-Dsanitize=${options.sanitize}`,
    `-Dnode_addon_api=${relative(ROOT, dirname(require.resolve('node-addon-api')))}`,
  ];
  const fingerprint = fingerprintOf(variables);
  if (existsSync(ADDON) && readIfThere(STAMP) === fingerprint) return say('is up to date');
  const tools = findTools();
  if (tools.missing.length > 0) {
    return fail(`cannot be compiled: ${tools.missing.join(', ')} not found. ${howToInstall()}`);
  }
  rmSync(STAMP, { force: true });
  const result = nodeGyp(['configure', ...nodeDir(), '--', ...variables], tools.env);
  const built = result.status === 0 ? nodeGyp(['build', '--jobs=max'], tools.env) : result;
  if (built.status !== 0) return fail(`could not be compiled:\n${built.stdout}${built.stderr}`);
  writeFileSync(STAMP, fingerprint);
  say('is compiled');
}

/** All that decides what comes out: sources, settings, machine, compiler. */
function fingerprintOf(variables) {
  const hash = createHash('sha256');
  const { CXX, CXXFLAGS, LDFLAGS } = process.env;
  hash.update(JSON.stringify([process.platform, process.arch, variables, CXX, CXXFLAGS, LDFLAGS]));
  const sources = readdirSync(import.meta.dirname).filter((name) => /\.(cc|h)$/.test(name));
  for (const name of ['../binding.gyp', ...sources.sort()]) {
    hash.update(name).update(readFileSync(join(import.meta.dirname, name)));
  }
  return hash.digest('hex');
}

function nodeGyp(args, env) {
  return spawnSync(process.execPath, [require.resolve('node-gyp/bin/node-gyp.js'), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: Infinity,
  });
}

/** The headers that came with this very node, where they did: node-gyp would download them. */
function nodeDir() {
  const prefix = resolve(dirname(process.execPath), '..');
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

function findTools() {
  const { CXX, MAKE, PYTHON, npm_config_python: npmPython } = process.env;
  const compiler = [CXX, 'g++', 'c++', 'clang++'].find((name) => isCommand(name));
  const missing = [
    ...(compiler !== undefined && (!CXX || compiler === CXX) ? [] : ['a C++ compiler']),
    ...(isCommand(MAKE ?? 'make') ? [] : ['make']),
    ...([PYTHON, npmPython, 'python3'].some((name) => isCommand(name)) ? [] : ['python3']),
  ];
  return { missing, env: compiler === undefined ? {} : { CXX: compiler } };
}

/** Whether the first word of `command` can be run: CXX may be "ccache g++". */
function isCommand(command) {
  if (!command) return false;
  const [program] = command.trim().split(/\s+/);
  if (program.includes('/')) return existsSync(program);
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => existsSync(join(folder, program)));
}

function howToInstall() {
  return process.platform === 'darwin'
    ? "Run 'xcode-select --install', then once more."
    : "Install them, as by 'apt-get install g++ make python3' or 'dnf install gcc-c++ make python3', then run it once more.";
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function say(what) {
  console.log(`ebs-snapshot-stream: the native addon ${what}`);
}

function fail(why) {
  console.error(`ebs-snapshot-stream: the native addon ${why}`);
  process.exitCode = 1;
}
