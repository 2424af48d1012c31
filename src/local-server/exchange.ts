import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isGone, onceDone } from './answer-end.ts';
import type { Answer } from './answers.ts';
import type { BlockHasher } from './block-hasher.ts';
import { dispatch, errorAnswer } from './dispatch.ts';
import type { Faults } from './faults.ts';
import { HashedBytes } from './hashed-bytes.ts';
import type { History, OpenRequest } from './history.ts';
import { openPassage } from './hostility/open-passage.ts';
import type { Hostility } from './hostility/hostility.ts';
import type { Passage } from './hostility/passage.ts';
import {
  arrivalOf,
  carriesBlock,
  operationOf,
  readIncoming,
  smallBodySize,
  subjectOf,
  type Incoming,
} from './incoming.ts';
import { NoAnswer } from './no-answer.ts';
import { receiveBody } from './receive-body.ts';
import type { Service } from './service.ts';
import type { SignatureVerifier } from './verify-signature.ts';
import { BLOCK_SIZE, HEADER } from './wire-table.ts';

/** What every exchange shares. */
export interface ExchangeParties {
  readonly service: Service;
  readonly verifier: SignatureVerifier;
  readonly history: History;
  /** Scripted faults. */
  readonly faults: Faults;
  readonly hostility: Hostility;
  readonly hasher: BlockHasher;
}

/** A request under way. */
interface Exchange {
  readonly parties: ExchangeParties;
  readonly opened: OpenRequest;
  readonly incoming: Incoming;
  readonly response: ServerResponse;
  /** What goes wrong with it, place by place; undefined, as a rule, when nothing does. */
  passage: Passage | undefined;
  operation: string | undefined;
  bodyAtMs: number | undefined;
  bodyBytesIn: number;
  /** Base64, of a block that was put. */
  digest: string | undefined;
  isOnRecord: boolean;
}

/** Carries one request from its head to the end of its answer. Never rejects for what a client does. */
export async function exchange(
  parties: ExchangeParties,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const current = open(parties, request, response);
  try {
    await deliver(current, await answerTo(current));
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    if (error.isStall) await new Promise<void>((resolve) => onceDone(response, resolve));
    note(current);
    if (!isGone(response)) request.socket.resetAndDestroy();
  }
}

function open(
  parties: ExchangeParties,
  request: IncomingMessage,
  response: ServerResponse,
): Exchange {
  const incoming = readIncoming(request);
  const opened = parties.history.open(arrivalOf(incoming));
  return {
    parties,
    opened,
    incoming,
    response,
    passage: openPassage(parties, { opened, incoming, response }),
    operation: undefined,
    bodyAtMs: undefined,
    bodyBytesIn: 0,
    digest: undefined,
    isOnRecord: false,
  };
}

/** Reads a request to its end and carries it out. */
async function answerTo(current: Exchange): Promise<Answer> {
  const { incoming, parties, passage } = current;
  try {
    await passage?.at('before-body');
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    return errorAnswer(error, incoming);
  }
  const { buffers } = parties.service;
  const isBlock = carriesBlock(incoming);
  const buffer = isBlock ? await buffers.lease() : Buffer.allocUnsafe(smallBodySize(incoming));
  try {
    return await carryOut(current, buffer);
  } finally {
    if (isBlock) buffers.release(buffer);
  }
}

async function carryOut(current: Exchange, buffer: Buffer): Promise<Answer> {
  const { incoming, parties } = current;
  const raw = await receiveBody(incoming.request, buffer, current.passage?.gate);
  current.bodyBytesIn = raw.receivedSize;
  if (!raw.isCut) current.bodyAtMs = performance.timeOrigin + performance.now();
  current.operation = operationOf(incoming, raw.bytes);
  // What the calls beside EBS direct ask for stands in their bodies.
  if (incoming.route === undefined) current.passage = openPassage(parties, current);
  const { passage } = current;
  await passage?.at('after-body', { bytes: raw.bytes });
  const { bytes, isTooLong, isCut } = raw;
  const content = new HashedBytes(bytes, parties.hasher);
  const body = { content, isTooLong, isCut };
  try {
    return await dispatch(parties, incoming, body, () => passage?.at('operation'));
  } finally {
    if (carriesBlock(incoming)) current.digest = (await content.digest()).toString('base64');
  }
}

async function deliver(current: Exchange, answer: Answer): Promise<void> {
  const { passage, response } = current;
  // A fault may change the headers on the way.
  const leaving = passage === undefined ? answer : { ...answer, headers: { ...answer.headers } };
  try {
    const { body, headers } = leaving;
    await passage?.at('before-answer', {
      bytes: body instanceof Uint8Array ? body : undefined,
      headers,
    });
    if (isGone(response)) throw new NoAnswer({ isStall: false });
  } catch (error) {
    answer.release?.();
    throw error;
  }
  const noteSent = note(current, answer);
  response.once('finish', noteSent);
  writeHead(response, leaving);
  if (passage === undefined) {
    if (answer.release !== undefined) onceDone(response, answer.release);
    response.end(answer.body);
    return;
  }
  try {
    await passage.send(leaving);
  } finally {
    answer.release?.();
  }
}

/** Closes the record before the last byte of the answer leaves, so that who has the answer finds the record. */
function note(current: Exchange, answer?: Answer): () => void {
  if (current.isOnRecord) return () => undefined;
  current.isOnRecord = true;
  const { incoming, opened, parties, passage } = current;
  const isSuccess = answer !== undefined && answer.error === undefined;
  const isBlockRead = isSuccess && answer.body instanceof Uint8Array;
  return parties.history.close(opened, {
    operation: current.operation ?? operationOf(incoming, NO_BODY),
    ...subjectOf(incoming),
    digest: isBlockRead ? answer.headers[HEADER.checksum] : current.digest,
    status: answer?.status ?? 0,
    errorType: answer?.error?.type,
    reason: answer?.error?.reason,
    message: answer?.error?.message,
    bodyAtMs: current.bodyAtMs,
    bodyBytesIn: current.bodyBytesIn,
    fault: passage?.fault,
    isLost: passage?.losesAnswer ?? false,
    blockBytesIn: isSuccess && carriesBlock(incoming) ? BLOCK_SIZE : 0,
    blockBytesOut: isBlockRead ? BLOCK_SIZE : 0,
  });
}

const NO_BODY = new Uint8Array(0);

function writeHead(response: ServerResponse, answer: Answer): void {
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
}
