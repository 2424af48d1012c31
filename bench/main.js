/**
 * `npm run bench` lists the benchmarks, `npm run bench -- NAME... [--json FILE]` runs some; docs/benchmarks.md tells more.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CATALOGUE, loadBenchmark, namesOf } from './catalogue.js';
import { describeMachine } from './machine.js';
import { drawComparison } from './table.js';

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rounds: { type: 'string' },
    'size-mib': { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    source: { type: 'string', multiple: true },
    scheme: { type: 'string', multiple: true },
    scenario: { type: 'string', multiple: true },
    seconds: { type: 'string' },
    trace: { type: 'string' },
  },
});

if (words.length === 0) await list();
else await runAll(words.flatMap(namesOf));

async function list() {
  for (const [group, benchmarks] of Object.entries(CATALOGUE)) {
    console.log(`${group}: ${Object.keys(benchmarks).join(', ')}`);
    for (const name of Object.keys(benchmarks)) {
      const { summary } = await loadBenchmark(name);
      console.log(`  ${name.padEnd(13)} ${summary}`);
    }
  }
  console.log('\nnpm run bench -- NAME... [--json FILE] [--rounds N]');
  console.log(
    '  read, upload: [--source file|loop|sparse|memory]... [--size-mib N] [--folder DIR]',
  );
  console.log('  upload, download: [--scheme http|https]...');
  console.log('  main-thread, local-service: [--size-mib N] [--folder DIR]');
  console.log('  control-law: [--scenario NAME]... [--seconds N] [--trace PREFIX]');
}

async function runAll(names) {
  const machine = describeMachine();
  const startedAt = new Date().toISOString();
  const benchmarks = {};
  for (const name of names) {
    console.log(`# ${name}\n`);
    benchmarks[name] = await runInProcess(name);
    for (const comparison of benchmarks[name]) console.log(drawComparison(comparison));
  }
  if (options.json === undefined) return;
  const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`;
  const report = { command, startedAt, machine, loadAverageAfter: loadavg(), benchmarks };
  writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** Each benchmark gets a process of its own: what one leaves in the heap shall not slow the next. */
async function runInProcess(name) {
  const child = fork(join(import.meta.dirname, 'run-one.js'), [name, JSON.stringify(settings())]);
  let comparisons;
  child.once('message', (message) => (comparisons = message));
  const [code] = await once(child, 'close');
  if (code === 0 && comparisons !== undefined) return comparisons;
  throw new Error(`The benchmark ${name} failed`);
}

function settings() {
  return {
    rounds: positive('rounds', options.rounds),
    sizeMiB: positive('size-mib', options['size-mib']),
    folder: options.folder,
    sources: options.source,
    schemes: options.scheme,
    scenarios: options.scenario,
    seconds: positive('seconds', options.seconds),
    trace: options.trace,
  };
}

function positive(name, text) {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new RangeError(`Expected a positive whole number for --${name}, got ${text}`);
}
