import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/**
 * What one trial tells: how long it took, what of the processor the whole process used, and the SHA-256 over the
 * digests of all blocks in index order, by which the result is checked before anything is printed.
 * @typedef {object} TrialReport
 * @property {number} wallSeconds
 * @property {number} cpuSeconds of all threads, user and system
 * @property {number} systemSeconds
 * @property {number} peakRssMiB of the process, its start included
 * @property {string} aggregate hexadecimal
 * @property {number} mainBusySeconds time in which the event loop was not waiting
 * @property {number} mainCpuSeconds of the main thread
 */

/**
 * What is to be read, from the command line: PATH DEPTH SIZE.
 * @typedef {object} Task
 * @property {string} path
 * @property {number} depth reads under way at a time, for those who can choose
 * @property {number} sizeBytes whole blocks
 */

/**
 * Lets `readBlocks` do the task, and prints a {@link TrialReport}. Its clock starts when
 * all modules are loaded: the start of node is no part of the work.
 * @param {(task: Task) => Promise<Buffer>} readBlocks returns the digests, 32 bytes a block
 */
export async function runTrial(readBlocks) {
  const [path, depth, sizeBytes] = process.argv.slice(2);
  const task = { path, depth: Number(depth), sizeBytes: Number(sizeBytes) };
  let digests;
  const spent = await spentOn(async () => (digests = await readBlocks(task)));
  const aggregate = createHash('sha256').update(digests).digest('hex');
  console.log(JSON.stringify({ ...spent, aggregate }));
}

/**
 * Does `work` and returns what it took.
 * @param {() => Promise<unknown>} work
 * @returns {Promise<Omit<TrialReport, 'aggregate'>>}
 */
export async function spentOn(work) {
  const before = readClocks();
  await work();
  const after = readClocks();
  const spent = Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, seconds - before[name]]),
  );
  return { ...spent, peakRssMiB: process.resourceUsage().maxRSS / 1024 };
}

function readClocks() {
  const { user, system } = process.cpuUsage();
  return {
    wallSeconds: performance.now() / 1e3,
    cpuSeconds: (user + system) / 1e6,
    systemSeconds: system / 1e6,
    mainBusySeconds: performance.eventLoopUtilization().active / 1e3,
    mainCpuSeconds: mainCpuSeconds(),
  };
}

/**
 * Processor time of the calling process's main thread: proc(5), schedstat, its first number in nanoseconds. NaN where
 * the system does not tell.
 * @returns {number}
 */
export function mainCpuSeconds() {
  try {
    const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(
      ' ',
    );
    return Number(nanoseconds) / 1e9;
  } catch {
    return NaN;
  }
}
