import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { compare } from '../harness.js';
import { runNode } from './read.js';
import { SOURCES } from './sources.js';

export const summary = 'time of the main thread for each block of engine work, and a profile of it';

/** Functions that the profile names; the others are shorter than a benchmark can tell. */
const FUNCTIONS_SHOWN = 12;

/** Microseconds between two samples of the profiler. */
const SAMPLE_MICROS = 100;

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 5, sizeMiB = 1024, folder }) {
  const source = SOURCES.memory({ sizeMiB, folder });
  if (typeof source === 'string') throw new Error(`The main thread cannot be measured: ${source}`);
  try {
    const blockCount = source.sizeBytes / BLOCK_SIZE;
    const contenders = [
      { role: 'ours', name: 'engine', measure: () => measureScript('engine', source) },
      {
        role: 'alternative',
        name: 'fs.read + node:crypto',
        measure: () => measureScript('fs-read', source),
      },
    ];
    const comparison = await compare({ title: `main thread, ${source.title}`, rounds, contenders });
    console.log(await profileEngine(source, blockCount));
    return [comparison];
  } finally {
    source.remove();
  }
}

/** Two clocks: time in which the event loop did not wait counts what the kernel gave to others meanwhile; CPU time does not. */
async function measureScript(script, source) {
  const { mainBusySeconds, mainCpuSeconds, wallSeconds } = await runNode(script, source, 4);
  const blockCount = source.sizeBytes / BLOCK_SIZE;
  return {
    'busy µs/block': (1e6 * mainBusySeconds) / blockCount,
    'CPU µs/block': (1e6 * mainCpuSeconds) / blockCount,
    'busy %': (100 * mainBusySeconds) / wallSeconds,
  };
}

/** Runs the engine once more under V8's profiler and tells where the main thread was. */
async function profileEngine(source, blockCount) {
  const folder = mkdtempSync(join(tmpdir(), 'ebs-bench-profile-'));
  try {
    const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
    await runNode('engine', source, 0, [...flags, `--cpu-prof-interval=${SAMPLE_MICROS}`]);
    const [file] = readdirSync(folder);
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    const lines = selfTimes(profile)
      .slice(0, FUNCTIONS_SHOWN)
      .map(([name, micros]) => `  ${(micros / blockCount).toFixed(2).padStart(8)}  ${name}`);
    return `profile of the whole process, µs/block (start of node included)\n${lines.join('\n')}\n`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Microseconds spent in each function itself, the most first. `(idle)` is no work. */
function selfTimes({ nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const totals = new Map();
  samples.forEach((id, i) => {
    const name = names.get(id);
    totals.set(name, (totals.get(name) ?? 0) + timeDeltas[i]);
  });
  totals.delete('(idle)');
  return [...totals].sort(([, a], [, b]) => b - a);
}

function nameOf({ functionName, url, lineNumber }) {
  const place = url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}
