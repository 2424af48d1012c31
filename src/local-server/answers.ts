import type { Refusal } from './refusal.ts';
import { ERROR_NAMESPACE, HEADER, OPERATIONS, type EbsOperation } from './wire-table.ts';
import { toWireJson, type WireObject } from './wire-json.ts';

/** A complete answer; the listener adds request id, date, length, and `Connection: close` on every 400. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** Headers beside the common ones, in the spelling to send. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
  /** Called once when nothing reads `body` any more. */
  readonly release?: () => void;
  /** What an error answer says, for the history. */
  readonly error?: AnswerError;
}

/** The error in an answer, whatever the protocol. */
export interface AnswerError {
  readonly type: string;
  readonly reason?: string | undefined;
  readonly message: string;
}

/** Makes the success answer of an operation from a JSON object. */
export function jsonAnswer(
  operation: EbsOperation,
  body: WireObject,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status: OPERATIONS[operation].status,
    contentType: 'application/json',
    headers,
    body: toWireJson(body),
  };
}

/**
 * Writes a refusal. Service errors have `Message` and, where the type models it, `Reason`; the two layers below have
 * `message` alone.
 */
export function refusalAnswer(refusal: Refusal): Answer {
  const { family, message, reason, status, type } = refusal;
  const body: Record<string, string> =
    family === 'service'
      ? { Message: message, ...(reason === undefined ? {} : { Reason: reason }) }
      : { message };
  return {
    status,
    contentType: 'application/json',
    headers: { [HEADER.errorType]: `${type}:${ERROR_NAMESPACE[family]}` },
    body: toWireJson(body),
    error: { type, reason, message },
  };
}
