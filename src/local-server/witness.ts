import type { IncomingMessage, ServerResponse } from 'node:http';
import type { History } from './history.ts';

/** Where the witness answers; no path of AWS begins so. */
export const WITNESS_PREFIX = '/_local/';

/**
 * Tells tests in other processes what the service saw: `GET /_local/counters` one JSON object, `GET /_local/requests`
 * one JSON object a line. Unsigned, and not part of the history itself.
 */
export function answerWitness(
  history: History,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  request.resume();
  const name = request.url?.slice(WITNESS_PREFIX.length);
  if (request.method !== 'GET' || (name !== 'counters' && name !== 'requests')) {
    response.writeHead(404, { 'Content-Length': 0 }).end();
    return;
  }
  const lines = name === 'counters' ? [history.counters()] : history.records();
  const type = name === 'counters' ? 'application/json' : 'application/jsonl';
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
