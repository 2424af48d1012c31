import type { IncomingMessage, ServerResponse } from 'node:http';
import type { History } from './history.ts';
import type { Hostility } from './hostility/hostility.ts';
import { receiveBody } from './receive-body.ts';
import type { Service } from './service.ts';
import { witnessSnapshot } from './witness-snapshot.ts';

/** Where the witness answers; no path of AWS begins so. */
export const WITNESS_PREFIX = '/_local/';

/** Whom the witness asks. */
export interface WitnessParties {
  readonly history: History;
  readonly hostility: Hostility;
  readonly service: Service;
}

/** What it answers: objects, one a line, or one object. */
interface Testimony {
  readonly status: number;
  readonly lines: readonly unknown[];
  readonly isList?: boolean;
}

const SETTINGS_SIZE_MAX = 1_048_576;
const UNKNOWN: Testimony = { status: 404, lines: [] };

/**
 * Tells tests in other processes what the service saw, and lets them change how it misbehaves. Unsigned, and not part of
 * the history itself.
 *
 *   GET /_local/counters        one JSON object
 *   GET /_local/requests        one JSON object a line
 *   GET /_local/rates           one JSON object a line
 *   GET /_local/snapshots/ID    one JSON object
 *   GET /_local/hostility       one JSON object; PUT sets it
 */
export async function answerWitness(
  parties: WitnessParties,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const name = request.url?.slice(WITNESS_PREFIX.length) ?? '';
  const isChange = request.method === 'PUT' && name === 'hostility';
  const { bytes, isTooLong } = await receiveBody(
    request,
    Buffer.allocUnsafe(isChange ? SETTINGS_SIZE_MAX : 0),
  );
  const testimony =
    isChange && !isTooLong
      ? change(parties.hostility, bytes)
      : request.method === 'GET'
        ? await testify(parties, name)
        : UNKNOWN;
  const { status, lines, isList = false } = testimony;
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  response.writeHead(status, {
    'Content-Type': isList ? 'application/jsonl' : 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

async function testify(parties: WitnessParties, name: string): Promise<Testimony> {
  const { history, hostility } = parties;
  switch (name) {
    case 'counters':
      return { status: 200, lines: [history.counters()] };
    case 'requests':
      return { status: 200, lines: history.records(), isList: true };
    case 'rates':
      return { status: 200, lines: history.rates(), isList: true };
    case 'hostility':
      return { status: 200, lines: [hostility.settings()] };
  }
  const snapshotId = /^snapshots\/(snap-[0-9a-f]+)$/.exec(name)?.[1];
  if (snapshotId === undefined) return UNKNOWN;
  const report = await witnessSnapshot(parties, snapshotId);
  return report === undefined ? UNKNOWN : { status: 200, lines: [report] };
}

/** Sets what a body says, and tells what is in force then: the seed of a run is there to be written down. */
function change(hostility: Hostility, bytes: Uint8Array): Testimony {
  try {
    hostility.set(JSON.parse(Buffer.from(bytes).toString()));
  } catch (error) {
    const message =
      error instanceof SyntaxError ? `The settings are no JSON: ${error.message}.` : String(error);
    return { status: 400, lines: [{ message: message.replace(/^\w*Error: /, '') }] };
  }
  return { status: 200, lines: [hostility.settings()] };
}
