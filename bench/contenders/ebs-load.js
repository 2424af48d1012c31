/**
 * Loads a service: ENDPOINT PID COLD_BYTES SIZE_BYTES CONNECTIONS. Puts a snapshot, completes it, lists it and reads it, with
 * requests that were signed before: one of COLD_BYTES, which is the first thing that the two processes ever do, then another one
 * of SIZE_BYTES. Prints a figure for each name; nothing when the service kept something else.
 * With `bare` as sixth argument the service is bare-service.js, which knows no snapshots.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { URL } from 'node:url';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { RawClient, sha256, signedHead } from './raw-client.js';

const [address, pid, coldBytes, sizeBytes, connectionCount, kind] = process.argv.slice(2);
const isBare = kind === 'bare';
const endpoint = new URL(address);
/** Different blocks; each is put to many indices. */
const DISTINCT = 64;
/** Blocks that are compared byte for byte after the clock has stopped. */
const COMPARED = 128;
const PAGE_SIZE = 10_000;
/** Linux tells the processor time of another process in hundredths of a second: proc(5), stat, fields 14 and 15. */
const TICKS_PER_SECOND = 100;

const blocks = Array.from({ length: DISTINCT }, () => randomBytes(BLOCK_SIZE));
const digests = blocks.map(sha256);
const clients = Array.from({ length: Number(connectionCount) }, () => new RawClient(endpoint));
const [client] = clients;

const cold = await loadSnapshot(Number(coldBytes) / BLOCK_SIZE);
const steady = await loadSnapshot(Number(sizeBytes) / BLOCK_SIZE);
for (const connection of clients) connection.close();
console.log(
  JSON.stringify({
    ...named('PUT', steady.put),
    ...named('GET', steady.get),
    ...(steady.pageMs === undefined ? {} : { 'list, ms/10,000 blocks': steady.pageMs }),
    ...named('cold PUT', cold.put),
    ...named('cold GET', cold.get),
  }),
);

/** Puts the blocks of a new snapshot, and reads them back. */
async function loadSnapshot(count) {
  const snapshotId = isBare ? 'snap-00000000000000000' : await start(count);
  const puts = Array.from({ length: count }, (_, index) => putHead(snapshotId, index));
  const put = await clocked(count, async (connection, i) => {
    const { status } = await connection.send(puts[i], blocks[i % DISTINCT]);
    if (status !== 201) throw new Error(`Put ${i} was answered with ${status}`);
  });
  if (!isBare) await complete(snapshotId, count);
  const { tokens, pageMs } = isBare ? {} : await list(snapshotId, count);
  const gets = Array.from({ length: count }, (_, i) => getHead(snapshotId, i, tokens?.get(i)));
  const get = await clocked(count, async (connection, i) => {
    const { status, head } = await connection.send(gets[i], undefined, { keepsBody: false });
    const isRight = isBare || head.includes(digests[i % DISTINCT].toString('base64'));
    if (status !== 200 || !isRight) throw new Error(`Get ${i} was answered with ${head}`);
  });
  if (!isBare) await compareBytes(gets);
  return { put, get, pageMs };
}

function named(name, { gibPerSecond, serverCpu, clientCpu }) {
  return {
    [`${name} GiB/s`]: gibPerSecond,
    [`${name} service CPU s/GiB`]: serverCpu,
    [`${name} client CPU s/GiB`]: clientCpu,
  };
}

/** Lets the connections share `total` calls, and tells what both sides paid for each GiB. */
async function clocked(total, call) {
  const before = { wall: performance.now(), own: process.cpuUsage(), service: serviceSeconds() };
  let next = 0;
  await Promise.all(
    clients.map(async (connection) => {
      while (next < total) {
        const i = next;
        next += 1;
        await call(connection, i);
      }
    }),
  );
  const gib = (total * BLOCK_SIZE) / 2 ** 30;
  const { user, system } = process.cpuUsage(before.own);
  return {
    gibPerSecond: (gib * 1e3) / (performance.now() - before.wall),
    serverCpu: (serviceSeconds() - before.service) / gib,
    clientCpu: (user + system) / 1e6 / gib,
  };
}

function serviceSeconds() {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function start(count) {
  const body = JSON.stringify({ VolumeSize: Math.ceil((count * BLOCK_SIZE) / 2 ** 30) });
  const payloadHash = sha256(body).toString('hex');
  const request = { method: 'POST', path: '/snapshots', bodySize: body.length, payloadHash };
  const answer = await client.send(signedHead(endpoint, request), Buffer.from(body));
  return JSON.parse(answer.body).SnapshotId;
}

function putHead(snapshotId, index) {
  return signedHead(endpoint, {
    method: 'PUT',
    path: `/snapshots/${snapshotId}/blocks/${index}`,
    headers: {
      'x-amz-checksum': digests[index % DISTINCT].toString('base64'),
      'x-amz-checksum-algorithm': 'SHA256',
      'x-amz-data-length': String(BLOCK_SIZE),
    },
    bodySize: BLOCK_SIZE,
  });
}

function getHead(snapshotId, index, token = 'none') {
  const path = `/snapshots/${snapshotId}/blocks/${index}`;
  return signedHead(endpoint, { method: 'GET', path, query: `blockToken=${token}` });
}

/** The service compares count and aggregate: what can be listed afterwards is what was put. */
async function complete(snapshotId, count) {
  const aggregate = createHash('sha256');
  for (let i = 0; i < count; i += 1) aggregate.update(digests[i % DISTINCT]);
  const head = signedHead(endpoint, {
    method: 'POST',
    path: `/snapshots/completion/${snapshotId}`,
    headers: {
      'x-amz-changedblockscount': String(count),
      'x-amz-checksum': aggregate.digest('base64'),
      'x-amz-checksum-aggregation-method': 'LINEAR',
      'x-amz-checksum-algorithm': 'SHA256',
    },
  });
  const { status, body } = await client.send(head);
  if (status !== 202) throw new Error(`Complete was answered with ${status} ${body}`);
}

async function list(snapshotId, count) {
  const tokens = new Map();
  const since = performance.now();
  let page = await listPage(snapshotId, undefined);
  for (;;) {
    for (const { BlockIndex, BlockToken } of page.Blocks) tokens.set(BlockIndex, BlockToken);
    if (page.NextToken === null) break;
    page = await listPage(snapshotId, page.NextToken);
  }
  if (tokens.size !== count) throw new Error(`Listed ${tokens.size} of ${count} blocks`);
  return { tokens, pageMs: ((performance.now() - since) * PAGE_SIZE) / count };
}

/** A snapshot whose figures are still compared is not there yet. */
async function listPage(snapshotId, token) {
  const path = `/snapshots/${snapshotId}/blocks`;
  const query = `maxResults=${PAGE_SIZE}${token === undefined ? '' : `&pageToken=${token}`}`;
  for (let tries = 0; tries < 1000; tries += 1) {
    const connection = new RawClient(endpoint);
    const { status, body } = await connection.send(
      signedHead(endpoint, { method: 'GET', path, query }),
    );
    connection.close();
    if (status === 200) return JSON.parse(body);
    if (!body.includes('SNAPSHOT_NOT_FOUND') && !body.includes('pending')) {
      throw new Error(`The list was answered with ${status} ${body}`);
    }
  }
  throw new Error(`${snapshotId} did not become readable`);
}

async function compareBytes(gets) {
  const count = gets.length;
  for (let n = 0; n < Math.min(COMPARED, count); n += 1) {
    const index = Math.floor((n * count) / COMPARED);
    const { body } = await client.send(gets[index]);
    if (!body.equals(blocks[index % DISTINCT])) throw new Error(`Block ${index} has other bytes`);
  }
}
