import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { judge } from '../aims.js';
import { buildFloor } from '../floor/build-floor.js';
import { compare, run as runProgram, whileListening } from '../harness.js';
import { environmentFor, tallyOf } from './sink.js';

export const summary = 'download of a snapshot from a sink on this machine, plain and with TLS';

const FLOOR = 'C++ floor';
const CONTENDER = join(import.meta.dirname, '../contenders/download.js');
const PROTOCOLS = [
  { scheme: 'http', floorConnections: 8 },
  { scheme: 'https', floorConnections: 4 },
];
const AIMS = [
  { figure: 'CPU s/GiB', versus: FLOOR, atMost: 1.6 },
  { figure: 'GiB/s', versus: FLOOR, atLeast: 0.85 },
];

/** Where it goes: nowhere, which shows the way here alone, or to a file. */
const TARGETS = ['memory', 'file'];

/** Bytes with which the sink fills block after block. */
const DISTINCT_BLOCKS = 61;

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 5, schemes, sources = TARGETS, sizeMiB = 2048, folder }) {
  const programs = { sink: await buildFloor('sink'), floor: await buildFloor('download_floor') };
  const sizeGiB = Math.ceil(sizeMiB / 1024);
  const comparisons = [];
  for (const kind of sources) {
    for (const protocol of PROTOCOLS) {
      if (schemes !== undefined && !schemes.includes(protocol.scheme)) continue;
      const job = { ...protocol, kind, sizeGiB, folder, programs };
      const title = `${protocol.scheme}, ${sizeGiB} GiB to ${kind}`;
      const comparison = await compare({ title, rounds, contenders: contendersOf(job) });
      comparisons.push({ ...comparison, aims: judge(comparison, AIMS) });
    }
  }
  return comparisons;
}

function contendersOf(job) {
  const { programs, floorConnections, sizeGiB, kind } = job;
  const blockCount = String((sizeGiB * 2 ** 30) / BLOCK_SIZE);
  const snapshotId = `snap-0d${sizeGiB.toString(16).padStart(15, '0')}`;
  const ours = (_, target) => [process.execPath, [CONTENDER, target, snapshotId]];
  const floor = (endpoint, target) => [
    programs.floor,
    [target, endpoint, String(floorConnections), snapshotId, blockCount],
  ];
  const name = kind === 'file' ? 'restoreSnapshot' : 'SnapshotReader';
  return [
    { role: 'ours', name, measure: () => measure(job, ours) },
    { role: 'bound', name: FLOOR, measure: () => measure(job, floor) },
  ];
}

/** Lets one contender download from a sink of its own, and tells what it cost. */
async function measure({ scheme, kind, sizeGiB, folder, programs }, commandFor) {
  const place = mkdtempSync(join(folder ?? tmpdir(), 'ebs-bench-'));
  const words = scheme === 'https' ? [join(place, 'certificate.pem')] : [];
  const target = kind === 'file' ? join(place, 'disk.img') : '-';
  try {
    return await whileListening(programs.sink, words, {}, async ({ endpoint }) => {
      const env = environmentFor(endpoint, words);
      const report = JSON.parse(await runProgram(...commandFor(endpoint, target), { env }));
      const tally = await tallyOf(
        endpoint,
        words.map((path) => readFileSync(path)),
      );
      await check({ target, tally, sizeGiB });
      return figuresOf(report, tally, sizeGiB);
    });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** No figure of a download that is not right: every block was asked for once, and is where it belongs. */
async function check({ target, tally, sizeGiB }) {
  const blockCount = (sizeGiB * 2 ** 30) / BLOCK_SIZE;
  if (tally.gets !== blockCount) throw new Error(`${tally.gets} of ${blockCount} blocks were read`);
  if (target === '-') return;
  let index = 0;
  for await (const block of createReadStream(target, { highWaterMark: BLOCK_SIZE })) {
    const byte = (index % DISTINCT_BLOCKS) + 1;
    if (!block.equals(Buffer.alloc(BLOCK_SIZE, byte))) throw new Error(`Block ${index} is wrong`);
    index += 1;
  }
  if (index !== blockCount) throw new Error(`${target} has ${index} of ${blockCount} blocks`);
}

/** The floor has no main thread that others wait for. */
function figuresOf(report, tally, gib) {
  const { wallSeconds, cpuSeconds, systemSeconds, peakRssMiB, mainBusySeconds } = report;
  return {
    'GiB/s': gib / wallSeconds,
    'CPU s/GiB': cpuSeconds / gib,
    'system s/GiB': systemSeconds / gib,
    'peak RSS MiB': peakRssMiB,
    ...(mainBusySeconds === undefined
      ? {}
      : { 'main busy %': (100 * mainBusySeconds) / wallSeconds }),
    "the sink's CPU s/GiB": tally.cpuSeconds / gib,
  };
}
