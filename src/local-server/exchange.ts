import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isGone, onceDone } from './answer-end.ts';
import type { Answer } from './answers.ts';
import { hashBody, type HashBlock } from './block-hash.ts';
import { dispatch } from './dispatch.ts';
import { faultRefusal, type Fault, type Faults } from './faults.ts';
import type { History, OpenRequest } from './history.ts';
import {
  carriesBlock,
  operationOf,
  readIncoming,
  smallBodySize,
  subjectOf,
  type Incoming,
} from './incoming.ts';
import { receiveBody } from './receive-body.ts';
import type { ReceivedBody, Service } from './service.ts';
import type { SignatureVerifier } from './verify-signature.ts';
import { BLOCK_SIZE, HEADER } from './wire-table.ts';

/** What every exchange shares. */
export interface ExchangeParties {
  readonly service: Service;
  readonly verifier: SignatureVerifier;
  readonly history: History;
  readonly faults: Faults;
  readonly hashBlock: HashBlock;
}

/** A request that has been read to its end. */
interface Exchange {
  readonly opened: OpenRequest;
  readonly incoming: Incoming;
  readonly response: ServerResponse;
  readonly operation: string;
  readonly fault: Fault | undefined;
}

/** Carries one request from its head to the end of its answer. Never rejects for what a client does. */
export async function exchange(
  parties: ExchangeParties,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const opened = parties.history.open();
  const incoming = readIncoming(request);
  const { buffers } = parties.service;
  const isBlock = carriesBlock(incoming);
  const buffer = isBlock ? await buffers.lease() : Buffer.allocUnsafe(smallBodySize(incoming));
  try {
    await converse(parties, { opened, incoming, response, buffer });
  } finally {
    if (isBlock) buffers.release(buffer);
  }
}

async function converse(
  parties: ExchangeParties,
  start: {
    readonly opened: OpenRequest;
    readonly incoming: Incoming;
    readonly response: ServerResponse;
    readonly buffer: Buffer;
  },
): Promise<void> {
  const { opened, incoming, response, buffer } = start;
  const raw = await receiveBody(incoming.request, buffer);
  const operation = operationOf(incoming, raw.bytes);
  const fault = parties.faults.take({ operation, ...subjectOf(incoming) });
  const current: Exchange = { opened, incoming, response, operation, fault };
  if (fault === 'reset') {
    dropConnection(parties, current);
    return;
  }
  if (fault === 'stall') {
    await new Promise<void>((resolve) => onceDone(response, resolve));
    dropConnection(parties, current);
    return;
  }
  if (fault === 'corrupt' && carriesBlock(incoming)) flipBit(raw.bytes);
  const body = { ...raw, digest: await hashBody(raw.bytes, parties.hashBlock) };
  const answer = await dispatch(parties, incoming, body, () => {
    if (typeof fault === 'object') throw faultRefusal(fault);
  });
  if (fault === 'lose-answer' || isGone(response)) {
    answer.release?.();
    dropConnection(parties, current, body);
    return;
  }
  if (fault === 'corrupt' && answer.body instanceof Uint8Array) flipBit(answer.body);
  note(parties.history, current, { answer, body });
  sendAnswer(response, answer);
}

function dropConnection(
  { history }: ExchangeParties,
  current: Exchange,
  body?: ReceivedBody,
): void {
  note(history, current, { body });
  if (!isGone(current.response)) current.incoming.request.socket.resetAndDestroy();
}

/** Closes the record before the last byte of the answer leaves, so that who has the answer finds the record. */
function note(
  history: History,
  { opened, incoming, operation }: Exchange,
  { answer, body }: { answer?: Answer; body?: ReceivedBody | undefined },
): void {
  const isSuccess = answer !== undefined && answer.error === undefined;
  const isBlockRead = isSuccess && answer.body instanceof Uint8Array;
  const sent = carriesBlock(incoming) ? body?.digest.toString('base64') : undefined;
  history.close(opened, {
    operation,
    ...subjectOf(incoming),
    digest: isBlockRead ? answer.headers[HEADER.checksum] : sent,
    status: answer?.status ?? 0,
    errorType: answer?.error?.type,
    reason: answer?.error?.reason,
    message: answer?.error?.message,
    blockBytesIn: isSuccess && carriesBlock(incoming) ? BLOCK_SIZE : 0,
    blockBytesOut: isBlockRead ? BLOCK_SIZE : 0,
  });
}

function sendAnswer(response: ServerResponse, answer: Answer): void {
  const { status, contentType, headers, body } = answer;
  response.sendDate = false;
  response.writeHead(status, {
    [HEADER.requestId]: randomUUID(),
    ...headers,
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    // By the machine's clock, as the signatures: clients correct their own by it.
    Date: new Date().toUTCString(),
    // What is left of a body that was not read to its end cannot be told from the next request.
    ...(status === 400 || !response.req.complete ? { Connection: 'close' } : {}),
  });
  if (answer.release !== undefined) onceDone(response, answer.release);
  response.end(body);
}

function flipBit(bytes: Uint8Array): void {
  if (bytes[0] !== undefined) bytes[0] ^= 1;
}
