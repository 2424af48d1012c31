/**
 * The addon's own unit tests and fuzz targets, in C++: `npm run test:native`.
 *
 * Builds them in each configuration (plain, sanitizers, ARM) and runs them, quiet when all is well. The last line counts.
 *   --only=NAME       one suite alone, by its name in SUITES below, or `fuzz`
 *   --seed=N          seed of the random tests and of the first fuzz input
 *   --fuzz-runs=N     inputs for each fuzz target
 *   --addon           the addon in node instead, under the address sanitizer: the tests of addon.mjs
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runAddonTests } from './addon.mjs';
import { make, OUT, requireTools, ROOT } from './toolchain.mjs';

/** What depends on the processor. */
const KERNEL_TESTS = '*Sha256*:*ZeroScan*:CpuFeatures*:InspectBlocks*';
/** HWCAP_SHA2 of the Linux kernel's asm/hwcap.h for arm64. */
const HWCAP_SHA2 = '40';

const NEHALEM = { EBS_TEST_KERNELS: 'portable scalar' };
const ARM_MAX = { EBS_TEST_KERNELS: 'armv8 portable neon scalar' };
const ARM_BASE = {
  EBS_TEST_KERNELS: 'portable neon scalar',
  EBS_TEST_HIDDEN_HWCAP: HWCAP_SHA2,
};

/** Each a configuration of the Makefile, on a processor. */
const SUITES = [
  { name: 'plain', config: 'plain' },
  ...(process.arch === 'x64'
    ? [{ name: 'x86-base', config: 'plain', cpu: ['qemu-x86_64', 'Nehalem'], env: NEHALEM }]
    : []),
  { name: 'address', config: 'address' },
  { name: 'thread', config: 'thread' },
  { name: 'aarch64', config: 'aarch64', cpu: ['qemu-aarch64', 'max'], env: ARM_MAX, all: true },
  { name: 'aarch64-base', config: 'aarch64', cpu: ['qemu-aarch64', 'max'], env: ARM_BASE },
];

/** Longer than any suite takes on a slow machine; what hangs ends here. */
const TIME_LIMIT_MS = 600_000;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string', default: '2024' },
    'fuzz-runs': { type: 'string', default: '1500' },
    addon: { type: 'boolean', default: false },
  },
});

try {
  main();
} catch (error) {
  console.error(error.message);
  console.log('native: 0 passed, 1 failed');
  process.exitCode = 1;
}

function main() {
  const counts = options.addon ? [runAddonTests()] : runSuites();
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  console.log(`native: ${passed} passed, ${failed} failed`);
  if (failed > 0 || passed === 0) process.exitCode = 1;
}

function runSuites() {
  const isWanted = (name) => options.only === undefined || options.only === name;
  const suites = SUITES.filter(({ name }) => isWanted(name));
  const isFuzzWanted = isWanted('fuzz');
  if (suites.length === 0 && !isFuzzWanted) throw new Error(`There is no suite '${options.only}'.`);
  requireToolsOf(suites);
  const counts = suites.map(runSuite);
  return isFuzzWanted ? [...counts, runFuzzTargets()] : counts;
}

function requireToolsOf(suites) {
  const tools = ['make', 'g++', 'googletest', 'openssl'];
  for (const { config, cpu } of suites) {
    if (config === 'aarch64') tools.push('aarch64-linux-gnu-g++');
    if (cpu !== undefined) tools.push(cpu[0]);
  }
  requireTools(...new Set(tools));
}

function runSuite({ name, config, cpu, env = {}, all = cpu === undefined }) {
  make(config, ['tests']);
  const report = join(OUT, `${name}.json`);
  rmSync(report, { force: true });
  const program = join(OUT, config, 'unit-tests');
  const args = ['--gtest_brief=1', `--gtest_output=json:${report}`];
  if (!all) args.push(`--gtest_filter=${KERNEL_TESTS}`);
  const command = cpu === undefined ? [program] : [cpu[0], '-cpu', cpu[1], program];
  const result = run([...command, ...args], env);
  if (result.status !== 0) show(`Unit tests, suite ${name}, seed ${options.seed}`, result);
  return countTests(result, report);
}

/** A program that ended before its report counts as one test that failed, and so does one without tests. */
function countTests(result, report) {
  try {
    const { tests, failures, errors } = JSON.parse(readFileSync(report, 'utf8'));
    const failed = Math.max(failures + errors, result.status === 0 && tests > 0 ? 0 : 1);
    return { passed: tests - failures - errors, failed };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

function runFuzzTargets() {
  make('address', ['fuzz']);
  const names = readdirSync(join(import.meta.dirname, 'fuzz'))
    .filter((file) => file.endsWith('_fuzz.cc'))
    .map((file) => file.replace('_fuzz.cc', ''));
  const results = names.map((name) => {
    const program = join(OUT, 'address/fuzz', name);
    const result = run([program, `--seed=${options.seed}`, `--runs=${options['fuzz-runs']}`]);
    if (result.status !== 0) show(`Fuzz target ${name}`, result);
    return result;
  });
  const failed = results.filter(({ status }) => status !== 0).length;
  return { passed: results.length - failed, failed };
}

function run([program, ...args], env = {}) {
  mkdirSync(OUT, { recursive: true });
  return spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: Infinity,
    timeout: TIME_LIMIT_MS,
    env: {
      ...process.env,
      EBS_TEST_SEED: options.seed,
      ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
      ...env,
    },
  });
}

function show(what, { status, signal, error, stdout, stderr }) {
  const end = error?.message ?? signal ?? `exit status ${status}`;
  console.error(`${what}: ${end}\n${stdout}${stderr}`);
}
