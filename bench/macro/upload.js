import { join } from 'node:path';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { judge } from '../aims.js';
import { buildFloor } from '../floor/build-floor.js';
import { compare } from '../harness.js';
import { uploadToSink } from './sink.js';
import { makeSource } from './sources.js';

export const summary = 'upload of a disk to a sink on this machine, plain and with TLS';

/** A long upload, in which the start of node, the SDK and V8 hardly counts, and a short one. */
const SIZES_MIB = [4096, 1024];

const CONTENDERS = join(import.meta.dirname, '../contenders');
const FLOOR = 'C++ floor';
const NAIVE = 'naive, AWS SDK';

/**
 * The ways to the sink: how many connections serve the floor best (of 2, 4, 8, 16 and 32), and what ours has to reach.
 */
const PROTOCOLS = [
  { scheme: 'http', floorConnections: 8, aims: aimsWith(1.5) },
  { scheme: 'https', floorConnections: 4, aims: aimsWith(1.25) },
];

/** @param {number} floorRatio */
function aimsWith(floorRatio) {
  return [
    { figure: 'CPU s/GiB', versus: FLOOR, atMost: floorRatio },
    { figure: 'GiB/s', versus: FLOOR, atLeast: 0.85 },
    { figure: 'CPU s/GiB', versus: NAIVE, atMost: 1 / 3 },
  ];
}

/** A loop device is read as a disk is, past every cache; only root can make one. */
const DEFAULT_KIND = process.getuid() === 0 ? 'loop' : 'memory';

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 5, schemes, sources = [DEFAULT_KIND], sizeMiB, folder }) {
  const programs = { sink: await buildFloor('sink'), floor: await buildFloor('upload_floor') };
  const comparisons = [];
  for (const size of sizeMiB === undefined ? SIZES_MIB : [sizeMiB]) {
    for (const kind of sources) {
      const source = makeSource(kind, { sizeMiB: size, folder });
      if (typeof source === 'string') {
        console.log(`The source '${kind}' of ${size} MiB is left out: ${source}.\n`);
        continue;
      }
      try {
        for (const protocol of protocolsOf(schemes)) {
          comparisons.push(await compareOver(protocol, { programs, source, rounds }));
        }
      } finally {
        source.remove();
      }
    }
  }
  return comparisons;
}

/** Those that were named, or all. */
function protocolsOf(schemes) {
  if (schemes === undefined) return PROTOCOLS;
  return schemes.map((scheme) => {
    const protocol = PROTOCOLS.find((candidate) => candidate.scheme === scheme);
    if (protocol !== undefined) return protocol;
    throw new RangeError(`Expected the scheme http or https, got ${scheme}`);
  });
}

async function compareOver({ scheme, floorConnections, aims }, { programs, source, rounds }) {
  const bench = { scheme, source, sink: programs.sink };
  const node = (script, ...words) => {
    const args = [join(CONTENDERS, `${script}.js`), source.path, ...words];
    return () => measure(bench, () => [process.execPath, args]);
  };
  const sizeGiB = String(Math.ceil(source.sizeBytes / 2 ** 30));
  const floor = (endpoint) => [programs.floor, [source.path, endpoint, String(floorConnections)]];
  const contenders = [
    { role: 'ours', name: 'uploadSnapshot, lean', measure: node('upload', 'lean') },
    { role: 'ours', name: 'uploadSnapshot, sdk', measure: node('upload', 'sdk') },
    { role: 'alternative', name: NAIVE, measure: node('naive-upload', sizeGiB) },
    { role: 'bound', name: FLOOR, measure: () => measure(bench, floor) },
  ];
  const title = `${scheme}, ${source.title}`;
  const comparison = await compare({ title, rounds, contenders });
  return { ...comparison, aims: judge(comparison, aims) };
}

/** Lets one contender upload the source, and tells what it cost. */
async function measure(bench, commandFor) {
  const { report, tally } = await uploadToSink(bench, commandFor);
  return figuresOf(report, tally, bench.source);
}

/** The floor has no main thread that others wait for. */
function figuresOf(report, tally, { sizeBytes }) {
  const gib = sizeBytes / 2 ** 30;
  const { wallSeconds, cpuSeconds, systemSeconds, peakRssMiB, mainBusySeconds } = report;
  return {
    'GiB/s': gib / wallSeconds,
    'CPU s/GiB': cpuSeconds / gib,
    'system s/GiB': systemSeconds / gib,
    'peak RSS MiB': peakRssMiB,
    ...(mainBusySeconds === undefined ? {} : mainThreadFigures(report, sizeBytes / BLOCK_SIZE)),
    "the sink's CPU s/GiB": tally.cpuSeconds / gib,
  };
}

function mainThreadFigures({ wallSeconds, mainBusySeconds, mainCpuSeconds }, blockCount) {
  return {
    'main busy %': (100 * mainBusySeconds) / wallSeconds,
    'main CPU µs/block': (1e6 * mainCpuSeconds) / blockCount,
  };
}
