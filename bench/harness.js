import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * What a contender is in its comparison: ours, another way to do the same, or what no way can beat.
 * @typedef {'ours' | 'alternative' | 'bound'} Role
 *
 * One way to do the work. `measure` does it once and returns figures, each under its name with the unit.
 * @typedef {object} Contender
 * @property {string} name
 * @property {Role} role
 * @property {() => Record<string, number> | Promise<Record<string, number>>} measure
 *
 * Every figure of every round; sample i of each contender is of round i.
 * @typedef {object} Comparison
 * @property {string} title
 * @property {{ name: string, role: Role, figures: Record<string, number[]> }[]} contenders ours first
 * @property {import('./aims.js').Verdict[]} [aims] how ours does by what it has to reach
 *
 * What all benchmarks can be told.
 * @typedef {object} Settings
 * @property {number} [rounds] default: the benchmark's own
 * @property {number} [sizeMiB] data of the source; default: the benchmark's own
 * @property {string[]} [schemes] over which the upload benchmark goes, http or https; default: both
 * @property {string} folder where a source that is a file lies, on the disk to be measured
 * @property {string[]} [sources] which kinds of sources to read; default: the benchmark's own
 * @property {string[]} [scenarios] of control-law; default: all
 * @property {number} [seconds] that each scenario takes; default: its own
 * @property {string} [trace] how the names of files begin that get what control-law sampled
 *
 * A benchmark: what `npm run bench -- NAME` runs.
 * @typedef {object} Benchmark
 * @property {string} summary
 * @property {(settings: Settings) => Promise<Comparison[]>} run
 */

/**
 * Measures each contender once a round, in another order each time, so that whatever else goes on in the machine meets
 * all of them alike.
 * @param {{ title: string, rounds: number, contenders: Contender[] }} plan
 * @returns {Promise<Comparison>}
 */
export async function compare({ title, rounds, contenders }) {
  const results = contenders.map(({ name, role }) => ({ name, role, figures: {} }));
  for (let round = 0; round < rounds; round += 1) {
    for (const i of shuffledIndices(contenders.length)) {
      const sample = await contenders[i].measure();
      for (const [name, figure] of Object.entries(sample)) {
        (results[i].figures[name] ??= []).push(figure);
      }
    }
  }
  return { title, contenders: results };
}

/**
 * Runs a program and returns what it printed.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string> }} [options] default: the environment as it is
 * @returns {Promise<string>}
 * @throws when it cannot be run, or fails: with what it wrote to standard error.
 */
export function run(command, args, { env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaint = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (complaint += text));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${signal ?? code}: ${complaint.trim()}`));
    });
  });
}

/**
 * Runs a server that prints `listening on ADDRESS`, and ends it when `work` has ended.
 * @template Result
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string> }} options
 * @param {(server: { endpoint: string, pid: number }) => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function whileListening(command, args, { env }, work) {
  const server = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(server, 'close');
  try {
    const line = once(createInterface(server.stdout), 'line');
    const failed = ended.then(([code]) => Promise.reject(new Error(`${command} ended: ${code}`)));
    const [text] = await Promise.race([line, failed]);
    failed.catch(() => undefined);
    return await work({ endpoint: text.replace('listening on ', ''), pid: server.pid });
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
}

/** 0 to count - 1 in random order (Fisher and Yates). */
function shuffledIndices(count) {
  const indices = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const other = Math.floor(Math.random() * (i + 1));
    [indices[i], indices[other]] = [indices[other], indices[i]];
  }
  return indices;
}
