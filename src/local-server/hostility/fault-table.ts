import { carriesBlock, subjectOf, type Incoming } from '../incoming.ts';
import { NoAnswer } from '../no-answer.ts';
import {
  frameworkError,
  internalError,
  invalid,
  invalidParameter,
  snapshotNotFound,
} from '../refusal.ts';
import type { Service } from '../service.ts';
import { HEADER } from '../wire-table.ts';

/**
 * Where a fault can strike, in the order in which a request gets there: its headers have come; half of its body has; all
 * of it has; its signature is good; its answer is ready; half of the answer's body has left.
 */
export type Place =
  'before-body' | 'in-body' | 'after-body' | 'operation' | 'before-answer' | 'in-answer';

/** What a fault finds where it strikes. */
export interface Scene {
  readonly incoming: Incoming;
  /** The bytes on their way: the request's body `after-body`, the answer's from `before-answer` on. */
  readonly bytes?: Uint8Array | undefined;
  /** The answer's headers, to be changed, `before-answer`. */
  readonly headers?: Record<string, string> | undefined;
  /** How long a stall lasts; undefined: for ever. */
  readonly forMs: number | undefined;
  /** Waits; ends early when the client has gone. */
  readonly wait: (ms: number) => Promise<void>;
}

/** What is known of a request before anything of it is done. */
export interface Target {
  readonly incoming: Incoming;
  readonly service: Service;
  /** How long after StartSnapshot a snapshot can be invisible. */
  readonly withinMs: number | undefined;
}

/** One kind of fault: where it strikes and what it does there. What `strike` throws ends the request. */
export interface FaultKind {
  readonly place: Place | ((incoming: Incoming) => Place);
  readonly strike: (scene: Scene) => Promise<void> | void;
  /** Requests that chance lets it hit. Default: all. */
  readonly fits?: (target: Target) => boolean;
}

/** A fault by its name. */
export type FaultName =
  | 'stall-before-body'
  | 'stall-in-body'
  | 'stall'
  | 'stall-before-answer'
  | 'stall-in-answer'
  | 'reset-before-body'
  | 'reset-in-body'
  | 'reset'
  | 'lose-answer'
  | 'cut-answer'
  | 'internal-error'
  | 'unavailable'
  | 'bad-read'
  | 'corrupt'
  | 'wrong-checksum'
  | 'expired-block-token'
  | 'expired-page-token'
  | 'expired-credentials'
  | 'invisible'
  | 'fail-completion';

/** How long a snapshot can be invisible unless told otherwise: what field reports say. */
const INVISIBLE_MS = 60_000;

/** Every fault. Of several that chance would bring on one request the first in this order strikes. */
export const FAULTS: Readonly<Record<FaultName, FaultKind>> = {
  'stall-before-body': { place: 'before-body', strike: stall },
  'stall-in-body': { place: 'in-body', strike: stall, fits: isPut },
  stall: { place: 'after-body', strike: stall },
  'stall-before-answer': { place: 'before-answer', strike: stall },
  'stall-in-answer': { place: 'in-answer', strike: stall },
  'reset-before-body': { place: 'before-body', strike: reset },
  'reset-in-body': { place: 'in-body', strike: reset, fits: isPut },
  reset: { place: 'after-body', strike: reset },
  'lose-answer': { place: 'before-answer', strike: reset },
  'cut-answer': { place: 'in-answer', strike: reset },
  'internal-error': {
    place: 'operation',
    strike: () => {
      throw internalError('An internal error has occurred');
    },
  },
  unavailable: {
    place: 'operation',
    strike: () => {
      throw frameworkError(503, 'ServiceUnavailable', 'Service is unavailable');
    },
  },
  'bad-read': {
    place: 'operation',
    fits: isPut,
    strike: () => {
      throw invalidParameter('Failed to read block data');
    },
  },
  corrupt: {
    place: (incoming) => (carriesBlock(incoming) ? 'after-body' : 'before-answer'),
    fits: (target) => isPut(target) || isOf(target, 'GetSnapshotBlock'),
    strike: ({ bytes }) => {
      if (bytes?.[0] !== undefined) bytes[0] ^= 1;
    },
  },
  'wrong-checksum': {
    place: 'before-answer',
    fits: (target) => isPut(target) || isOf(target, 'GetSnapshotBlock'),
    strike: ({ headers }) => {
      const checksum = headers?.[HEADER.checksum];
      if (headers !== undefined && checksum !== undefined) {
        headers[HEADER.checksum] = otherChecksum(checksum);
      }
    },
  },
  'expired-block-token': {
    place: 'operation',
    fits: (target) => isOf(target, 'GetSnapshotBlock') && target.incoming.query.has('blockToken'),
    strike: ({ incoming: { query } }) => {
      const token = query.get('blockToken') ?? '';
      throw invalid('INVALID_BLOCK_TOKEN', `The block token ${token} is invalid.`);
    },
  },
  'expired-page-token': {
    place: 'operation',
    fits: ({ incoming: { query } }) => query.has('pageToken'),
    strike: ({ incoming: { query } }) => {
      const token = query.get('pageToken') ?? '';
      throw invalid('INVALID_PAGE_TOKEN', `The pagination token ${token} is invalid.`);
    },
  },
  'expired-credentials': {
    place: 'operation',
    strike: () => {
      const message = 'The security token included in the request is expired';
      throw frameworkError(403, 'ExpiredTokenException', message);
    },
  },
  invisible: {
    place: 'operation',
    fits: (target) => isPut(target) && isYoung(target),
    strike: ({ incoming }) => {
      throw snapshotNotFound(subjectOf(incoming).snapshotId ?? '');
    },
  },
  'fail-completion': {
    place: 'operation',
    fits: (target) => isOf(target, 'CompleteSnapshot'),
    // The signature has been checked: what the client declared is changed as if it had declared it.
    strike: ({ incoming: { request } }) => {
      const name = HEADER.changedBlocksCount.toLowerCase();
      request.headers[name] = String(Number(request.headers[name]) + 1);
    },
  },
};

function isOf({ incoming }: Target, operation: string): boolean {
  return incoming.route?.operation === operation;
}

function isPut({ incoming }: Target): boolean {
  return carriesBlock(incoming);
}

function isYoung({ incoming, service, withinMs = INVISIBLE_MS }: Target): boolean {
  const record = service.store.recordOf(subjectOf(incoming).snapshotId ?? '');
  return record !== undefined && service.now() < record.startTimeMs + withinMs;
}

async function stall({ forMs, wait }: Scene): Promise<void> {
  if (forMs === undefined) throw new NoAnswer({ isStall: true });
  await wait(forMs);
}

function reset(): void {
  throw new NoAnswer({ isStall: false });
}

/** Another checksum of the same form. */
function otherChecksum(checksum: string): string {
  return (checksum.startsWith('A') ? 'B' : 'A') + checksum.slice(1);
}
