/** Runs one benchmark for main.js, in a process of its own, and sends it the comparisons. */
import { loadBenchmark } from './catalogue.js';

const [name, settings] = process.argv.slice(2);
const benchmark = await loadBenchmark(name);
const comparisons = await benchmark.run(JSON.parse(settings));
process.send(comparisons, () => process.disconnect());
