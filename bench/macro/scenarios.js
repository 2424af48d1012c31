/**
 * A time in which nothing changes. `searchSeconds` of it are the law's to find the rate; then it is steady, until
 * `tailSeconds` before the end, in which the last requests of the steady part are answered.
 * @typedef {object} Stretch
 * @property {number} seconds
 * @property {number} searchSeconds
 * @property {number} [tailSeconds] default: 1
 * @property {object} hostility settings of the local service, docs/local-service.md
 * @property {number} attainable blocks a second that the best of clients could keep up
 *
 * What is aimed at beside what all scenarios share.
 * @typedef {{ secondsTo90?: number, inFlightMax?: number, failures?: number }} Aims
 *
 * @typedef {object} Scenario
 * @property {string} title
 * @property {Stretch[]} stretches
 * @property {number} [processes]
 * @property {number} [writers] of each process
 * @property {Aims} [aims]
 */

const MIB = 2 ** 20;
const BLOCKS_PER_MIB = 2;

/** What two processor cores carry beside everything else; Amazon allows 1000. */
const QUOTA_PER_SECOND = 400;

/** An instance in the service's region. */
const EC2 = {
  quotas: {
    account: { PutSnapshotBlock: { rate: QUOTA_PER_SECOND } },
    snapshot: { PutSnapshotBlock: { rate: QUOTA_PER_SECOND } },
  },
  latency: {
    PutSnapshotBlock: {
      medianMs: 95,
      sigma: 0.3,
      tail: { probability: 0.005, minMs: 500, alpha: 1.5, maxMs: 5000 },
    },
  },
  path: { rttMs: 1 },
};

const STALL_SHARE = 0.005;

/** @type {Record<string, Scenario>} */
export const SCENARIOS = {
  ec2: {
    title: `EC2-like: 100 ms with a tail, ${QUOTA_PER_SECOND} requests/s`,
    stretches: [{ ...quotaBound(EC2), seconds: 35, searchSeconds: 15 }],
    aims: { secondsTo90: 3 },
  },
  uplink: {
    title: 'slow link of 4.8 MiB/s',
    stretches: [{ ...uplink(4.8), seconds: 60, searchSeconds: 25 }],
    aims: { inFlightMax: 24, failures: 0 },
  },
  'thin-uplink': {
    title: 'slow link of 0.5 MiB/s',
    stretches: [{ ...uplink(0.5), seconds: 85, searchSeconds: 35, tailSeconds: 10 }],
    aims: { failures: 0 },
  },
  'step-up': {
    title: 'step up, 10 to 100 MiB/s',
    stretches: [
      { ...uplink(10), seconds: 30, searchSeconds: 20 },
      { ...uplink(100), seconds: 35, searchSeconds: 15 },
    ],
    aims: { failures: 0 },
  },
  'step-down': {
    title: 'step down, 100 to 4.8 MiB/s',
    stretches: [
      { ...uplink(100), seconds: 25, searchSeconds: 15 },
      { ...uplink(4.8), seconds: 50, searchSeconds: 20 },
    ],
    aims: { failures: 0 },
  },
  'four-writers': {
    title: `four writers in one process, ${QUOTA_PER_SECOND} requests/s for the account`,
    stretches: [{ ...quotaBound(EC2), seconds: 35, searchSeconds: 15 }],
    writers: 4,
  },
  'four-processes': {
    title: `four processes, ${QUOTA_PER_SECOND} requests/s for the account`,
    stretches: [{ ...sharedByProcesses(), seconds: 43, searchSeconds: 20 }],
    processes: 4,
  },
  distant: {
    title: 'long path, 1 to 8 s, 25 MiB/s',
    stretches: [{ ...distant(), seconds: 85, searchSeconds: 50, tailSeconds: 8 }],
    aims: { failures: 0 },
  },
  stalls: {
    title: `EC2-like with ${100 * STALL_SHARE} % stalls`,
    stretches: [
      {
        ...quotaBound({ ...EC2, faults: { stall: STALL_SHARE } }, 1 - STALL_SHARE),
        seconds: 42,
        searchSeconds: 22,
      },
    ],
  },
};

/** No hindrance: what the machine itself can do with service and client on it. */
export const UNHINDERED = {
  title: 'this machine, unhindered',
  stretches: [{ hostility: {}, attainable: Infinity, seconds: 8, searchSeconds: 3 }],
};

/** Refused requests cost nobody's quota; those that are let through and fail do. */
function quotaBound(hostility, goodShare = 1) {
  return { hostility, attainable: QUOTA_PER_SECOND * goodShare };
}

function sharedByProcesses() {
  const rate = QUOTA_PER_SECOND;
  const quotas = { account: { PutSnapshotBlock: { rate } } };
  return { hostility: { ...EC2, quotas }, attainable: rate };
}

function uplink(mibPerSecond) {
  return {
    hostility: {
      path: {
        upBytesPerSecond: Math.round(mibPerSecond * MIB),
        rttMs: 30,
        receiveWindowBytes: 16_384,
      },
      latency: { PutSnapshotBlock: { medianMs: 70, sigma: 0.2 } },
    },
    attainable: mibPerSecond * BLOCKS_PER_MIB,
  };
}

function distant() {
  const { attainable, hostility } = uplink(25);
  return {
    hostility: {
      ...hostility,
      path: { ...hostility.path, rttMs: 200 },
      latency: { PutSnapshotBlock: { medianMs: 2500, sigma: 0.45 } },
    },
    attainable,
  };
}
