import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { run as runProgram, whileListening } from '../harness.js';

/**
 * What came to a sink (bench/floor/sink.cc): of all requests, and of the last completion.
 * @typedef {object} Tally
 * @property {number} puts
 * @property {number} putBytes
 * @property {number} changedBlocksCount
 * @property {string} checksum
 * @property {number} cpuSeconds of the sink itself
 *
 * @typedef {import('./sources.js').Source} Source
 * @typedef {import('../contenders/trial.js').TrialReport} TrialReport
 */

/**
 * Lets a program upload a source to a sink of its own, which it finds by its environment.
 * @param {{ scheme: string, source: Source, sink: string }} bench `sink` is the path of the program
 * @param {(endpoint: string) => [program: string, args: string[]]} commandFor the program; it prints a report
 * @returns {Promise<{ report: Omit<TrialReport, 'aggregate'>, tally: Tally }>}
 * @throws when the sink did not get all of the source.
 */
export async function uploadToSink({ scheme, source, sink }, commandFor) {
  const folder = mkdtempSync(join(tmpdir(), 'ebs-bench-'));
  const certificate = join(folder, 'certificate.pem');
  source.evict();
  try {
    const words = scheme === 'https' ? [certificate] : [];
    return await whileListening(sink, words, {}, async ({ endpoint }) => {
      const env = environmentFor(endpoint, words);
      const report = JSON.parse(await runProgram(...commandFor(endpoint), { env }));
      const tally = await tallyOf(
        endpoint,
        words.map((path) => readFileSync(path)),
      );
      check(tally, source);
      return { report, tally };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All that the AWS SDK, and so ours, needs to find the sink; nothing of this machine's own configuration. */
export function environmentFor(endpoint, [certificate]) {
  return {
    PATH: process.env.PATH,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench-secret',
    ...(certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificate }),
  };
}

/** What came to a sink. */
export async function tallyOf(endpoint, ca) {
  const { get } = endpoint.startsWith('https:') ? https : http;
  const [response] = await once(get(`${endpoint}/tally`, { ca, agent: false }), 'response');
  return await json(response);
}

/** No figure of an upload that was not whole. The sink counts bytes; the aggregate proves that all were read and hashed. */
function check(tally, { path, sizeBytes, aggregate }) {
  const { puts, putBytes, changedBlocksCount, checksum } = tally;
  const blockCount = sizeBytes / BLOCK_SIZE;
  const isWhole = puts === blockCount && putBytes === sizeBytes;
  const isSealed = changedBlocksCount === blockCount && fromBase64(checksum) === aggregate;
  if (isWhole && isSealed) return;
  throw new Error(`A contender did not upload all of ${path}: ${JSON.stringify(tally)}`);
}

function fromBase64(text) {
  return Buffer.from(text, 'base64').toString('hex');
}
