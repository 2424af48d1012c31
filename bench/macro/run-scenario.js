import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { withLocalService } from './service-process.js';
import { attainableIn, blocksIn, jain, secondsToRate, throttledShare } from './steady.js';

/**
 * What a run came to; unless another time is said, in its steady parts, and as the service's witness saw it.
 * @typedef {object} ScenarioResult
 * @property {number} reached blocks a second
 * @property {number} attainable blocks a second
 * @property {number} secondsTo90 since the start of the first process
 * @property {number} throttled share of the requests
 * @property {number} fairness
 * @property {number} failures attempts that were repeated for another reason than a quota, in the whole run
 * @property {number} inFlightMax in the whole run
 * @property {number} peakRssMiB of the largest process
 * @property {number} maxInFlightMiB blocks that a process may hold
 * @property {number} cpuMsPerBlock of all processes, over the whole run
 * @property {object[]} reports what each process printed, bench/contenders/endless-upload.js
 */

const UPLOAD = join(import.meta.dirname, '../contenders/endless-upload.js');
/** What all writers of a process may hold together: the default of one. */
const MAX_IN_FLIGHT_MIB = 128;
const TAIL_SECONDS = 1;

/**
 * Lets a scenario happen, to a service and uploading processes of its own.
 * @param {import('./scenarios.js').Scenario} scenario
 * @param {{ folder: string, seconds?: number }} options `seconds`: how long all stretches take together, if not as they say
 * @returns {Promise<ScenarioResult>}
 */
export function runScenario(scenario, { folder, seconds }) {
  const { processes = 1, writers = 1 } = scenario;
  const stretches = scaled(scenario.stretches, seconds);
  return withLocalService(folder, async ({ endpoint }) => {
    await setHostility(endpoint, stretches[0].hostility);
    const task = {
      endpoint,
      writers,
      seconds: secondsOf(stretches),
      maxInFlightBytes: (MAX_IN_FLIGHT_MIB * 2 ** 20) / writers,
    };
    const uploads = await Promise.all(Array.from({ length: processes }, () => startUpload(task)));
    const [spans, ...reports] = await Promise.all([
      passStretches(endpoint, stretches, startOf(uploads)),
      ...uploads.map(({ report }) => report),
    ]);
    const witness = {
      puts: await putsSince(endpoint, spans[0].fromMs),
      counters: await ask(endpoint, 'counters'),
    };
    return { ...figuresOf(reports, witness, spans), maxInFlightMiB: MAX_IN_FLIGHT_MIB, reports };
  });
}

function startOf(uploads) {
  return Math.min(...uploads.map(({ startedAtMs }) => startedAtMs));
}

function scaled(stretches, seconds = secondsOf(stretches)) {
  const factor = seconds / secondsOf(stretches);
  return stretches.map(({ tailSeconds = TAIL_SECONDS, ...stretch }) => ({
    ...stretch,
    seconds: factor * stretch.seconds,
    searchSeconds: factor * stretch.searchSeconds,
    tailSeconds: factor * tailSeconds,
  }));
}

function secondsOf(stretches) {
  return stretches.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Resolves when the upload has begun; `report` does when it has ended. */
async function startUpload(task) {
  const child = spawn(process.execPath, [UPLOAD, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'close').finally(() => process.removeListener('exit', kill));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await lines.next();
    if (value !== undefined) return JSON.parse(value);
    const [code, signal] = await ended;
    throw new Error(`An upload ended with ${signal ?? code}`);
  };
  const { startedAtMs } = await next();
  return { startedAtMs, report: next() };
}

/** Changes the settings when their time has come, and returns the steady parts. */
async function passStretches(endpoint, stretches, startedAtMs) {
  const spans = [];
  let fromMs = startedAtMs;
  for (const [i, { hostility, attainable, ...length }] of stretches.entries()) {
    if (i > 0) await setHostility(endpoint, hostility);
    const endMs = fromMs + 1e3 * length.seconds;
    spans.push({
      fromMs: fromMs + 1e3 * length.searchSeconds,
      toMs: endMs - 1e3 * length.tailSeconds,
      attainable,
    });
    await delay(endMs - epochMs());
    fromMs = endMs;
  }
  return spans;
}

function figuresOf(reports, { puts, counters }, spans) {
  const steadySeconds = spans.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0) / 1e3;
  const ids = reports.flatMap(({ snapshotIds }) => snapshotIds);
  const shares = ids.map((id) =>
    blocksIn(
      puts.filter(({ snapshotId }) => snapshotId === id),
      spans,
    ),
  );
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const acknowledged = sum(reports.map(({ samples }) => sum(samples.at(-1).blocks)));
  return {
    reached: sum(shares) / steadySeconds,
    attainable: attainableIn(spans) / steadySeconds,
    secondsTo90: secondsToRate(samplesOfAll(reports), spans[0].attainable),
    throttled: throttledShare(puts, spans),
    fairness: jain(shares),
    failures: sum(reports.flatMap(({ failures }) => Object.values(failures))),
    inFlightMax: counters.inFlightMax,
    peakRssMiB: Math.max(...reports.map(({ peakRssMiB }) => peakRssMiB)),
    cpuMsPerBlock: (1e3 * sum(reports.map(({ cpuSeconds }) => cpuSeconds))) / acknowledged,
  };
}

/** What all processes had together at each sample of the first. */
function samplesOfAll(reports) {
  const startedAtMs = startOf(reports);
  const [first] = reports;
  return first.samples.map((_, i) => {
    const each = reports.map(({ samples }) => samples[Math.min(i, samples.length - 1)]);
    const blocks = each.flatMap((sample) => sample.blocks).reduce((a, b) => a + b, 0);
    return { atMs: first.samples[i].atMs + first.startedAtMs - startedAtMs, blocks };
  });
}

async function setHostility(endpoint, settings) {
  const body = JSON.stringify(settings);
  const response = await fetch(`${endpoint}/_local/hostility`, { method: 'PUT', body });
  if (!response.ok) throw new Error(`The service refused its settings: ${await response.text()}`);
}

async function ask(endpoint, name) {
  return await (await fetch(`${endpoint}/_local/${name}`)).json();
}

/** The records of all Puts that ended after `sinceMs`; fewer would count for a lower rate. */
async function putsSince(endpoint, sinceMs) {
  const text = await (await fetch(`${endpoint}/_local/requests`)).text();
  const records = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { forgotten } = await ask(endpoint, 'counters');
  if (forgotten > 0 && records[0].endedAtMs > sinceMs) {
    throw new Error(`The service has forgotten ${forgotten} requests, some of the steady part`);
  }
  return records.filter(({ operation }) => operation === 'PutSnapshotBlock');
}

function epochMs() {
  return performance.timeOrigin + performance.now();
}
