import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { READER_THREADS } from '../../dist/engine/native-engine.js';
import { hasFio, readWithFio } from '../contenders/fio.js';
import { buildFloor } from '../floor/build-floor.js';
import { compare, run as runProgram } from '../harness.js';
import { makeSource } from './sources.js';

export const summary = 'read + scan + hash of a file, a loop device over memory, a sparse file';

/** The sources that are read when none is named. */
const KINDS = ['file', 'loop', 'sparse'];

/** Reads of 2 MiB that each thread of the floor keeps under way through io_uring. */
const RING_READS = 4;

/** @typedef {import('./sources.js').Source} Source */

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 5, sources = KINDS, sizeMiB = 1024, folder }) {
  const floor = await buildFloor('read_floor');
  const isFioThere = await hasFio();
  if (!isFioThere) console.log('fio is not installed: the bound of the device is left out.\n');
  const comparisons = [];
  for (const kind of sources) {
    const source = makeSource(kind, { sizeMiB, folder });
    if (typeof source === 'string') {
      console.log(`The source '${kind}' is left out: ${source}.\n`);
      continue;
    }
    try {
      comparisons.push(await compareOn(source, { rounds, floor, isFioThere }));
    } finally {
      source.remove();
    }
  }
  return comparisons;
}

/** Whether the kernel lets this user have an io_uring (sysctl kernel.io_uring_disabled, Linux 6.6). */
function hasRing() {
  const setting = '/proc/sys/kernel/io_uring_disabled';
  return existsSync(setting) && readFileSync(setting, 'utf8').trim() === '0';
}

async function compareOn(source, { rounds, floor, isFioThere }) {
  const depth = READER_THREADS;
  const withFloor = async (...ring) => {
    const text = await runProgram(floor, [source.path, String(depth), ...ring]);
    return figuresOf(JSON.parse(text), source);
  };
  const contenders = [
    { role: 'ours', name: 'engine', measure: () => measureEngine(source, depth) },
    { role: 'alternative', name: 'fs.read + node:crypto', measure: nodeTrial('fs-read') },
    { role: 'alternative', name: 'naive loop', measure: nodeTrial('naive') },
    {
      role: 'bound',
      name: `C++ floor, ${depth} threads`,
      measure: afterEviction(() => withFloor()),
    },
  ];
  if (hasRing()) {
    contenders.push({
      role: 'bound',
      name: 'C++ floor, io_uring',
      measure: afterEviction(() => withFloor(String(RING_READS))),
    });
  }
  if (isFioThere) {
    const withFio = () => readWithFio(source.path, { depth, sizeBytes: source.sizeBytes });
    contenders.push({
      role: 'bound',
      name: `fio, depth ${depth}`,
      measure: afterEviction(withFio),
    });
  }
  return await compare({ title: source.title, rounds, contenders });

  function nodeTrial(script) {
    return async () => figuresOf(await runNode(script, source, depth), source);
  }

  function afterEviction(measure) {
    return () => {
      source.evict();
      return measure();
    };
  }
}

async function measureEngine(source, depth) {
  const report = await runNode('engine', source, depth);
  const blockCount = source.sizeBytes / BLOCK_SIZE;
  return {
    ...figuresOf(report, source),
    'main busy %': (100 * report.mainBusySeconds) / report.wallSeconds,
    'main busy µs/block': (1e6 * report.mainBusySeconds) / blockCount,
    'main CPU µs/block': (1e6 * report.mainCpuSeconds) / blockCount,
  };
}

/**
 * Runs one trial of a contender in a process of its own.
 * @param {string} script of bench/contenders
 * @param {Source} source
 * @param {number} depth
 * @param {string[]} [nodeFlags]
 * @returns {Promise<import('../contenders/trial.js').TrialReport>}
 */
export async function runNode(script, source, depth, nodeFlags = []) {
  source.evict();
  const file = join(import.meta.dirname, `../contenders/${script}.js`);
  const task = [source.path, String(depth), String(source.sizeBytes)];
  const report = JSON.parse(await runProgram(process.execPath, [...nodeFlags, file, ...task]));
  return checked(report, source);
}

/** GiB are those of the source, holes included. */
function figuresOf(report, source) {
  const { wallSeconds, cpuSeconds, systemSeconds, peakRssMiB } = checked(report, source);
  const gib = source.sizeBytes / 2 ** 30;
  return {
    'GiB/s': gib / wallSeconds,
    'CPU s/GiB': cpuSeconds / gib,
    'system s/GiB': systemSeconds / gib,
    'peak RSS MiB': peakRssMiB,
  };
}

/** No figure of a wrong result. */
function checked(report, source) {
  if (report.aggregate === source.aggregate) return report;
  throw new Error(`A contender got other digests of ${source.path} than node:crypto`);
}
