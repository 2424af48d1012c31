/**
 * Uploads without end, for the time it is given: a JSON object with `endpoint`, `writers`, `seconds` and
 * `maxInFlightBytes` of each writer, which writes a snapshot of its own. Prints two lines of JSON: at the start when that
 * was, at the end what happened, in samples.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { SnapshotWriter, ThrottleError } from '../../dist/index.js';

const { endpoint, writers: count, seconds, maxInFlightBytes } = JSON.parse(process.argv[2]);

Object.assign(process.env, {
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local-secret',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
});

const SAMPLE_MS = 50;
const CHUNK_BYTES = 1 << 20;
/** Small, as it counts for the memory of the process; no multiple of a block, so that blocks differ for long. */
const content = randomBytes(8 * CHUNK_BYTES + 4096);
/** More than any run uploads. */
const VOLUME_GIB = 1024;

const failures = {};
const startedAtMs = epochMs();
const writers = Array.from({ length: count }, makeWriter);
for (const writer of writers) void feed(writer);
console.log(JSON.stringify({ startedAtMs }));
const samples = [];
for (let now = startedAtMs; now < startedAtMs + 1000 * seconds; now = epochMs()) {
  samples.push(sampleAt(now));
  await delay(SAMPLE_MS);
}
const { user, system } = process.cpuUsage();
const report = {
  startedAtMs,
  snapshotIds: writers.map(({ snapshotId }) => snapshotId),
  samples,
  failures,
  cpuSeconds: (user + system) / 1e6,
  peakRssMiB: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());

function makeWriter() {
  const writer = new SnapshotWriter({ params: { VolumeSize: VOLUME_GIB }, maxInFlightBytes });
  writer.on('retry', ({ error }) => {
    if (error instanceof ThrottleError) return;
    const kind = error.message.replace(/ of block \d+/, '');
    failures[kind] = (failures[kind] ?? 0) + 1;
  });
  writer.on('error', (error) => {
    throw error;
  });
  return writer;
}

async function feed(writer) {
  for (let offset = 0; ; offset = (offset + CHUNK_BYTES) % (content.length - CHUNK_BYTES)) {
    if (!writer.write(content.subarray(offset, offset + CHUNK_BYTES))) await once(writer, 'drain');
  }
}

/** What each writer has come to, in the order of `snapshotIds`. */
function sampleAt(now) {
  const progress = writers.map((writer) => writer.progress);
  return {
    atMs: now - startedAtMs,
    blocks: progress.map(({ blocksTransferred }) => blocksTransferred),
    inFlight: progress.map(({ inFlight }) => inFlight),
    limitedBy: progress.map(({ limitedBy }) => limitedBy),
  };
}

function epochMs() {
  return performance.timeOrigin + performance.now();
}
