import type { Path } from './path.ts';
import type { Scenario } from './simulate.ts';

const MIB = 1024 * 1024;

/** An instance in the service's region: 100 ms a request, 1000 a second allowed. */
const EC2: Partial<Path> = {
  linkBytesPerSecond: 1250 * MIB,
  rttMs: 1,
  latencyMs: 95,
  latencySigma: 0.3,
  tailShare: 0.005,
  tailMs: 500,
  accountPerSecond: 1000,
  snapshotPerSecond: 1000,
};

/** A site with a thin uplink. */
const UPLINK: Partial<Path> = {
  linkBytesPerSecond: 4.8 * MIB,
  rttMs: 30,
  latencyMs: 70,
  latencySigma: 0.2,
};

/** A scenario, and what it must keep to beside the rate. */
export interface NamedScenario extends Scenario {
  /** With a transport that tells of flushes. */
  readonly inFlightMax?: number;
  readonly timeoutsMax?: number;
}

/** The paths that the law was made for; a rule of the law names the one that needs it. */
export const NAMED_SCENARIOS: readonly NamedScenario[] = [
  { name: 'EC2-like', path: EC2, seconds: 90 },
  {
    name: 'loopback',
    path: { rttMs: 0.1, latencyMs: 1.5, latencySigma: 0.3, cpuMs: 0.4 },
    seconds: 50,
    quotaPerSecond: Infinity,
  },
  { name: '4.8 MiB/s', path: UPLINK, seconds: 300, inFlightMax: 24, timeoutsMax: 0 },
  {
    name: '0.5 MiB/s',
    path: { ...UPLINK, linkBytesPerSecond: MIB / 2 },
    seconds: 600,
    timeoutsMax: 0,
  },
  {
    name: 'step up',
    path: { ...UPLINK, linkBytesPerSecond: 10 * MIB },
    changes: [{ atSeconds: 90, path: { linkBytesPerSecond: 100 * MIB } }],
    seconds: 200,
  },
  {
    name: 'step down',
    path: { ...UPLINK, linkBytesPerSecond: 9.6 * MIB },
    changes: [{ atSeconds: 90, path: { linkBytesPerSecond: 4.8 * MIB } }],
    seconds: 300,
    timeoutsMax: 0,
  },
  {
    name: 'cliff',
    path: { ...UPLINK, linkBytesPerSecond: 100 * MIB },
    changes: [{ atSeconds: 90, path: { linkBytesPerSecond: 4.8 * MIB } }],
    seconds: 300,
    timeoutsMax: 0,
  },
  {
    name: 'cliff where slow bodies are refused',
    path: { ...UPLINK, linkBytesPerSecond: 100 * MIB, bodyMsMax: 20_000 },
    changes: [{ atSeconds: 60, path: { linkBytesPerSecond: 0.5 * MIB } }],
    seconds: 600,
  },
  {
    name: 'latency x 4',
    path: { ...EC2, accountPerSecond: Infinity, snapshotPerSecond: 1000, latencyMs: 40 },
    changes: [{ atSeconds: 60, path: { latencyMs: 160 } }],
    seconds: 150,
  },
  {
    name: 'latency x 3',
    path: { ...UPLINK, linkBytesPerSecond: 200 * MIB, latencyMs: 50, rttMs: 1 },
    changes: [{ atSeconds: 60, path: { latencyMs: 150 } }],
    seconds: 260,
  },
  {
    name: 'neighbour',
    path: EC2,
    changes: [
      { atSeconds: 60, path: { neighbourPerSecond: 500 } },
      { atSeconds: 120, path: { neighbourPerSecond: 0 } },
    ],
    seconds: 180,
  },
  {
    name: 'raised quota',
    path: EC2,
    memoryBlocks: 1024,
    changes: [{ atSeconds: 60, path: { accountPerSecond: 2000, snapshotPerSecond: 2000 } }],
    seconds: 130,
  },
  {
    name: 'lowered quota',
    path: EC2,
    changes: [{ atSeconds: 60, path: { accountPerSecond: 300 } }],
    seconds: 130,
  },
  {
    name: 'over an ocean',
    path: { ...EC2, rttMs: 150, latencyMs: 20 },
    memoryBlocks: 512,
    seconds: 90,
  },
  { name: 'tiny bucket', path: { ...EC2, bucketDepth: 10 }, seconds: 120 },
  { name: 'source-bound', path: { ...EC2, sourcePerSecond: 200 }, seconds: 90 },
  {
    name: 'distant',
    path: { linkBytesPerSecond: 100 * MIB, rttMs: 200, latencyMs: 2500, latencySigma: 0.45 },
    memoryBlocks: 1024,
    seconds: 150,
  },
  {
    name: 'slow tail with stalls',
    path: { ...EC2, tailShare: 0.02, tailMs: 1500, stallShare: 0.002, resetShare: 0.002 },
    seconds: 120,
  },
  {
    name: '5xx burst',
    path: EC2,
    changes: [
      { atSeconds: 60, path: { errorShare: 1 } },
      { atSeconds: 70, path: { errorShare: 0 } },
    ],
    seconds: 130,
  },
  { name: 'four writers', path: EC2, writers: 4, seconds: 90 },
  { name: 'four writers on the uplink', path: UPLINK, writers: 4, seconds: 300 },
  { name: 'four processes', path: EC2, processes: 4, seconds: 180 },
  { name: 'four processes on the uplink', path: UPLINK, processes: 4, seconds: 300 },
  {
    name: 'no quota known',
    path: EC2,
    quotaPerSecond: Infinity,
    seconds: 90,
  },
  {
    name: 'capacity',
    path: {
      ...EC2,
      accountPerSecond: Infinity,
      snapshotPerSecond: Infinity,
      capacityPerSecond: 400,
    },
    seconds: 120,
  },
];
