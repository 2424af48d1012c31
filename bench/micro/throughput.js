import Benchmark from 'benchmark';
import { spreadOf } from '../stats.js';

/** Long enough for tens of samples of the slowest contender, short enough that a round is over soon. */
const SECONDS_PER_ROUND = 0.2;

/**
 * Returns the seconds that one call of `work` takes: the median over what the benchmark library sampled.
 * @param {() => unknown} work synchronous
 * @returns {number}
 */
export function secondsPerCall(work) {
  const benchmark = new Benchmark({ fn: work, maxTime: SECONDS_PER_ROUND, minSamples: 5 });
  benchmark.run();
  if (benchmark.error !== undefined) throw benchmark.error;
  return spreadOf(benchmark.stats.sample).median;
}

/**
 * Makes a contender whose figure is the rate at which `work` gets through bytes on the calling thread.
 * @param {import('../harness.js').Role} role
 * @param {string} name
 * @param {number} bytesPerCall
 * @param {() => unknown} work
 * @returns {import('../harness.js').Contender}
 */
export function throughputOf(role, name, bytesPerCall, work) {
  const measure = () => ({ 'GiB/s': bytesPerCall / secondsPerCall(work) / 2 ** 30 });
  return { role, name, measure };
}
