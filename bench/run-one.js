/** Runs one benchmark for main.js, in a process of its own, and sends it the comparisons. */
import { loadBenchmark } from './catalogue.js';

const [name, settings] = process.argv.slice(2);
// Nobody waits any more: leave as at any other exit, which removes files and loop devices.
process.once('disconnect', () => process.exit());
const benchmark = await loadBenchmark(name);
const comparisons = await benchmark.run(JSON.parse(settings));
process.send(comparisons, () => process.disconnect());
