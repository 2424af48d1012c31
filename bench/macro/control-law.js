import { writeFileSync } from 'node:fs';
import { runScenario } from './run-scenario.js';
import { SCENARIOS, UNHINDERED } from './scenarios.js';

export const summary = 'uploads over hostile paths and quotas: the rate beside the attainable one';

const RATE = 'blocks/s, steady';
/** What every scenario aims at. */
const ATTAINED_MIN = 0.97;
const THROTTLED_PERCENT_MAX = 0.5;
const FAIRNESS_MIN = 0.95;
/** Memory of a process beside the blocks that it holds. */
const OWN_MIB_MAX = 128;

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 1, folder, scenarios, seconds, trace }) {
  const names = scenarios ?? Object.keys(SCENARIOS);
  const chosen = names.map(scenarioOf);
  const machine = await runScenario(UNHINDERED, { folder, seconds });
  const comparisons = [];
  for (const [i, scenario] of chosen.entries()) {
    const results = [];
    for (let round = 0; round < rounds; round += 1) {
      const result = await runScenario(scenario, { folder, seconds });
      console.log(`${scenario.title}: ${verdictOn(scenario, result)}`);
      results.push(result);
      if (trace !== undefined) writeTrace(`${trace}-${names[i]}-${round}.jsonl`, result);
    }
    comparisons.push(comparisonOf(scenario, results, machine));
  }
  console.log();
  return comparisons;
}

function scenarioOf(name) {
  if (name in SCENARIOS) return SCENARIOS[name];
  throw new RangeError(
    `Expected a scenario among ${Object.keys(SCENARIOS).join(', ')}, got ${name}`,
  );
}

/** The bounds are of the same rounds as ours: the machine's, measured once, and the path's, known. */
function comparisonOf({ title }, results, machine) {
  const figures = {};
  for (const result of results) {
    for (const [name, figure] of Object.entries(figuresOf(result))) {
      (figures[name] ??= []).push(figure);
    }
  }
  const bound = (name, rates) => ({ name, role: 'bound', figures: { [RATE]: rates } });
  return {
    title,
    contenders: [
      { name: 'SnapshotWriter', role: 'ours', figures },
      bound(
        'attainable',
        results.map(({ attainable }) => attainable),
      ),
      bound(
        'this machine, unhindered',
        results.map(() => machine.reached),
      ),
    ],
  };
}

/** @param {import('./run-scenario.js').ScenarioResult} result */
function figuresOf(result) {
  return {
    [RATE]: result.reached,
    's to 90 %': result.secondsTo90,
    'throttled %': 100 * result.throttled,
    "Jain's fairness": result.fairness,
    'failures and time-outs': result.failures,
    'most in flight': result.inFlightMax,
    'peak RSS MiB': result.peakRssMiB,
    'client CPU ms/block': result.cpuMsPerBlock,
  };
}

/** Says which aims were missed. */
function verdictOn({ aims = {} }, result) {
  const missed = [];
  const check = (name, figure, bound, isMet) => {
    if (!isMet(figure, bound)) missed.push(`${name} ${figure.toPrecision(3)} instead of ${bound}`);
  };
  const atLeast = (figure, bound) => figure >= bound;
  const atMost = (figure, bound) => figure <= bound;
  check('attained', result.reached / result.attainable, ATTAINED_MIN, atLeast);
  check('throttled %', 100 * result.throttled, THROTTLED_PERCENT_MAX, (a, b) => a < b);
  check('fairness', result.fairness, FAIRNESS_MIN, atLeast);
  check('RSS MiB', result.peakRssMiB, OWN_MIB_MAX + result.maxInFlightMiB, atMost);
  for (const [name, bound] of Object.entries(aims)) check(name, result[name], bound, atMost);
  return missed.length === 0 ? 'all aims reached' : `missed: ${missed.join(', ')}`;
}

/** A line for each sample of each process, and the failures. */
function writeTrace(file, { reports }) {
  const lines = reports.flatMap(({ samples, failures }, process) => [
    ...samples.map((sample) => ({ process, ...sample })),
    { process, failures },
  ]);
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}
