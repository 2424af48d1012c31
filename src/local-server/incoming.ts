import type { IncomingMessage } from 'node:http';
import type { Form } from './ec2-call.ts';
import { isEc2Action } from './ec2-query.ts';
import {
  chooseService,
  matchRoute,
  originForm,
  parseQuery,
  splitUrl,
  type EbsRoute,
  type ServiceName,
} from './routes.ts';
import { s3OperationOf } from './s3-rest.ts';
import type { Arrival } from './snapshot-ledger.ts';
import { isStsAction } from './sts-query.ts';
import { readScope } from './verify-signature.ts';
import { HEADER } from './wire-table.ts';

/** What a request wants, as far as its head tells; nothing is trusted or judged yet. */
export interface Incoming {
  readonly request: IncomingMessage;
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
  readonly service: ServiceName;
  /** Undefined when no EBS operation has this method and path. */
  readonly route: EbsRoute | undefined;
}

/** Bytes of a body that is no block: StartSnapshot with 50 tags of the longest kind stays far below. */
const SMALL_BODY_MAX = 262_144;
const UNKNOWN = 'Unknown';

/** Reads the head of a request. */
export function readIncoming(request: IncomingMessage): Incoming {
  const { method = '' } = request;
  const url = originForm(request.url ?? '/');
  const { path, query } = splitUrl(url);
  const scope = readScope(request.headers.authorization);
  const service = chooseService(scope?.service, { method, path });
  const route = service === 'ebs' ? matchRoute(method, path) : undefined;
  return { request, method, url, path, query: parseQuery(query), service, route };
}

/** Whether the body is a block. */
export function carriesBlock({ route }: Incoming): boolean {
  return route?.operation === 'PutSnapshotBlock';
}

/** Bytes to set aside for the body of a request that carries no block. */
export function smallBodySize({ request }: Incoming): number {
  const declared = request.headers['content-length'];
  if (declared !== undefined) return Math.min(Number(declared), SMALL_BODY_MAX);
  return request.headers['transfer-encoding'] === undefined ? 0 : SMALL_BODY_MAX;
}

/** The snapshot and block that the path of a request names, for faults and the history. */
export function subjectOf({ route }: Incoming): {
  snapshotId?: string | undefined;
  blockIndex?: number | undefined;
} {
  const { SnapshotId, SecondSnapshotId, BlockIndex } = route?.path ?? {};
  const blockIndex = BlockIndex === undefined ? NaN : Number(BlockIndex);
  return {
    snapshotId: SnapshotId ?? SecondSnapshotId,
    blockIndex: Number.isInteger(blockIndex) ? blockIndex : undefined,
  };
}

/** What the history wants to know of a request when it comes. */
export function arrivalOf(incoming: Incoming): Arrival {
  const { request, route } = incoming;
  return {
    operation: route?.operation,
    ...subjectOf(incoming),
    checksum: headerText(request, HEADER.checksum),
    changedBlocksCount: headerText(request, HEADER.changedBlocksCount),
    connection: request.socket,
  };
}

function headerText(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name.toLowerCase()];
  return typeof value === 'string' ? value : undefined;
}

/** The operation that a request means, as the history names it; `Unknown` when there is none. */
export function operationOf({ service, method, path, route }: Incoming, body: Uint8Array): string {
  if (service === 's3') return s3OperationOf(method, path) ?? UNKNOWN;
  if (service === 'ebs') return route?.operation ?? UNKNOWN;
  // Only known names count: what clients make up would fill the history's sums without bound.
  const action = formOf(body).get('Action') ?? '';
  const isKnown = service === 'ec2' ? isEc2Action(action) : isStsAction(action);
  return isKnown ? action : UNKNOWN;
}

/** Reads the form of a Query API call; of a name that comes twice the first value counts. */
export function formOf(body: Uint8Array): Form {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString();
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (!form.has(name)) form.set(name, value);
  }
  return form;
}
