/** The addon itself under the address sanitizer, in node: the tests of its life, its kernels and the engine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { OUT, ROOT } from './toolchain.mjs';

const TESTS = [
  'test/native/lifecycle.test.ts',
  'test/native/kernels.test.ts',
  'test/conformance/engine.test.ts',
];
const COPIED = ['native', 'src', 'test', 'binding.gyp', 'package.json', 'vitest.config.ts'];
const CONFIGS = ['tsconfig.json', 'tsconfig.build.json'];

/** A checkout of its own: there the addon is built, and found, without touching build/Release. */
const CHECKOUT = join(OUT, 'addon');

/** Returns how many tests passed and failed; throws when the addon cannot be built. */
export function runAddonTests() {
  for (const name of [...COPIED, ...CONFIGS]) {
    rmSync(join(CHECKOUT, name), { recursive: true, force: true });
    cpSync(join(ROOT, name), join(CHECKOUT, name), { recursive: true });
  }
  const build = [join(CHECKOUT, 'native/build.mjs'), '--sanitize=address'];
  const built = spawnSync(process.execPath, build, { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  return runVitest(join(OUT, 'addon.json'));
}

function runVitest(report) {
  rmSync(report, { force: true });
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const result = spawnSync(process.execPath, [vitest, 'run', ...TESTS], {
    cwd: CHECKOUT,
    encoding: 'utf8',
    maxBuffer: Infinity,
    env: {
      ...process.env,
      VITEST_JSON_REPORT: report,
      // Node itself is built without the sanitizer, and frees nothing when it ends.
      LD_PRELOAD: execFileSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim(),
      ASAN_OPTIONS: 'detect_leaks=0',
    },
  });
  if (result.status !== 0) console.error(`${result.stdout}${result.stderr}`);
  return countTests(report);
}

function countTests(report) {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests };
  } catch {
    return { passed: 0, failed: 1 };
  }
}
