import type { StartSnapshotRequest } from '@aws-sdk/client-ebs';
import { createHash, randomUUID } from 'node:crypto';
import { BLOCK_SIZE, LIST_RESULTS_MAX } from '../base/constants.ts';
import { toBase64, toHex } from '../base/digest.ts';
import { IntegrityError, TransportError } from '../base/errors.ts';
import type { HttpAnswer } from './response-parser.ts';
import { canonicalQuery, percentEncode } from './sigv4.ts';
import type {
  BlockAnswer,
  BlockPage,
  ChangedBlock,
  ChangedPage,
  CompleteSnapshotRequest,
  GetBlockRequest,
  ListBlocksRequest,
  ListChangedRequest,
  ListedBlock,
  PutBlockRequest,
  SnapshotStatus,
  StartSnapshotAnswer,
} from './transport.ts';

/** A call as it goes over the wire, not yet signed (model: HTTP bindings of API version 2019-11-02). */
export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Percent-encoded; begins with a slash, behind the endpoint's own path. */
  readonly path: string;
  /** Encoded and sorted. */
  readonly query: string;
  /** Lower-case names, all to be signed; those of host, date and length come later. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
  /** Where the body of a good answer goes, if it has just this length. */
  readonly into?: Uint8Array | undefined;
  /** Hex SHA-256 of the body. */
  readonly payloadHash: string;
}

/** SHA-256 of nothing. */
const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Writes StartSnapshot; a ClientToken is made when there is none, since a lost answer would leave a snapshot behind. */
export function startRequest(request: StartSnapshotRequest): WireRequest {
  const { ClientToken = randomUUID(), ...rest } = request;
  const body = Buffer.from(JSON.stringify({ ...rest, ClientToken }));
  return {
    method: 'POST',
    path: '/snapshots',
    query: '',
    headers: [['content-type', 'application/json']],
    body,
    payloadHash: createHash('sha256').update(body).digest('hex'),
  };
}

/** Writes PutSnapshotBlock. The digest goes out twice: as the checksum, and as the body's hash in the signature. */
export function putRequest(request: PutBlockRequest): WireRequest {
  const { snapshotId, blockIndex, data, digest } = request;
  return {
    method: 'PUT',
    path: `/snapshots/${percentEncode(snapshotId)}/blocks/${blockIndex}`,
    query: '',
    headers: [
      ['content-type', 'application/octet-stream'],
      ['x-amz-checksum', toBase64(digest)],
      ['x-amz-checksum-algorithm', 'SHA256'],
      ['x-amz-data-length', String(BLOCK_SIZE)],
    ],
    body: data,
    payloadHash: toHex(digest),
  };
}

/** Writes CompleteSnapshot. */
export function completeRequest(request: CompleteSnapshotRequest): WireRequest {
  const { snapshotId, changedBlocksCount, aggregateDigest } = request;
  return {
    method: 'POST',
    path: `/snapshots/completion/${percentEncode(snapshotId)}`,
    query: '',
    headers: [
      ['x-amz-changedblockscount', String(changedBlocksCount)],
      ['x-amz-checksum', toBase64(aggregateDigest)],
      ['x-amz-checksum-aggregation-method', 'LINEAR'],
      ['x-amz-checksum-algorithm', 'SHA256'],
    ],
    payloadHash: EMPTY_HASH,
  };
}

/** Writes ListSnapshotBlocks. */
export function listRequest(request: ListBlocksRequest): WireRequest {
  return get(`/snapshots/${percentEncode(request.snapshotId)}/blocks`, pageQuery(request));
}

/** Writes ListChangedBlocks: the second snapshot is in the path, the first in the query. */
export function listChangedRequest(request: ListChangedRequest): WireRequest {
  const { firstSnapshotId, secondSnapshotId } = request;
  return get(`/snapshots/${percentEncode(secondSnapshotId)}/changedblocks`, [
    ['firstSnapshotId', firstSnapshotId],
    ...pageQuery(request),
  ]);
}

/** Writes GetSnapshotBlock. */
export function getRequest(request: GetBlockRequest): WireRequest {
  const { snapshotId, blockIndex, blockToken, into } = request;
  const path = `/snapshots/${percentEncode(snapshotId)}/blocks/${blockIndex}`;
  return { ...get(path, [['blockToken', blockToken]]), into };
}

/** What chooses a page, in both lists. */
function pageQuery({
  startingBlockIndex,
  pageToken,
}: Pick<ListBlocksRequest, 'startingBlockIndex' | 'pageToken'>): [string, string][] {
  const query: [string, string][] = [['maxResults', String(LIST_RESULTS_MAX)]];
  if (pageToken !== undefined) query.push(['pageToken', pageToken]);
  if (startingBlockIndex !== undefined) {
    query.push(['startingBlockIndex', String(startingBlockIndex)]);
  }
  return query;
}

function get(path: string, query: readonly (readonly [string, string])[]): WireRequest {
  return {
    method: 'GET',
    path,
    query: canonicalQuery(query),
    headers: [],
    payloadHash: EMPTY_HASH,
  };
}

/**
 * Reads StartSnapshot's answer into the SDK's own form: without nulls, and with a Date.
 * @throws {TransportError} when it is not one.
 */
export function readStarted(answer: HttpAnswer): StartSnapshotAnswer {
  const members = Object.entries(readJson(answer)).filter(([, value]) => value !== null);
  const { StartTime, ...rest } = Object.fromEntries(members) as unknown as StartSnapshotAnswer;
  if (typeof rest.SnapshotId !== 'string') {
    throw new TransportError('StartSnapshot answered without a SnapshotId', {
      requestId: requestIdOf(answer),
    });
  }
  // The wire has seconds with a fraction.
  return StartTime === undefined
    ? rest
    : { ...rest, StartTime: new Date(Math.round(Number(StartTime) * 1000)) };
}

/** Reads PutSnapshotBlock's answer. @throws what {@link checkStored} throws. */
export function readStored(request: PutBlockRequest, answer: HttpAnswer): void {
  checkStored(request, answer.header('x-amz-checksum'), requestIdOf(answer));
}

/**
 * Compares the checksum that the service states of the block it stored with the digest that was sent.
 * @throws {IntegrityError} to be tried again: the service takes the same block twice.
 */
export function checkStored(
  { snapshotId, blockIndex, digest }: PutBlockRequest,
  checksum: string | undefined,
  requestId: string | undefined,
): void {
  const sent = toBase64(digest);
  if (checksum === undefined || checksum === sent) return;
  throw new IntegrityError(
    `block ${blockIndex} of ${snapshotId} was stored with the checksum ${checksum}, sent with ${sent}`,
    { snapshotId, blockIndex, requestId, retryClass: 'checksum' },
  );
}

/** Reads CompleteSnapshot's answer. */
export function readStatus(answer: HttpAnswer): SnapshotStatus {
  const { Status } = readJson(answer) as { readonly Status?: SnapshotStatus };
  return Status ?? 'pending';
}

/** Reads one page of ListSnapshotBlocks. */
export function readPage(answer: HttpAnswer): BlockPage {
  const { VolumeSize, Blocks, NextToken } = readJson(answer) as {
    readonly VolumeSize?: number | null;
    readonly Blocks?: readonly { readonly BlockIndex: number; readonly BlockToken: string }[];
    readonly NextToken?: string | null;
  };
  const blocks = (Blocks ?? []).map(({ BlockIndex, BlockToken }): ListedBlock => {
    return { blockIndex: BlockIndex, blockToken: BlockToken };
  });
  return {
    volumeSizeGiB: VolumeSize ?? 0,
    blocks,
    ...(NextToken ? { nextPageToken: NextToken } : {}),
  };
}

/** Reads one page of ListChangedBlocks. A side without the block has an explicit null; the last page may have nothing else. */
export function readChangedPage(answer: HttpAnswer): ChangedPage {
  const { ChangedBlocks, NextToken } = readJson(answer) as {
    readonly ChangedBlocks?: readonly {
      readonly BlockIndex: number;
      readonly FirstBlockToken?: string | null;
      readonly SecondBlockToken?: string | null;
    }[];
    readonly NextToken?: string | null;
  };
  return toChangedPage(ChangedBlocks ?? [], NextToken);
}

/** Puts a page of changes together, from either transport. */
export function toChangedPage(
  blocks: readonly {
    readonly BlockIndex?: number | undefined;
    readonly FirstBlockToken?: string | null | undefined;
    readonly SecondBlockToken?: string | null | undefined;
  }[],
  nextToken: string | null | undefined,
): ChangedPage {
  return {
    blocks: blocks.map(({ BlockIndex = 0, FirstBlockToken, SecondBlockToken }): ChangedBlock => {
      return {
        blockIndex: BlockIndex,
        ...(FirstBlockToken ? { firstToken: FirstBlockToken } : {}),
        ...(SecondBlockToken ? { secondToken: SecondBlockToken } : {}),
      };
    }),
    ...(nextToken ? { nextPageToken: nextToken } : {}),
  };
}

/** Reads a block. Its length is checked here, its digest by whoever hashes. */
export function readBlock(
  { snapshotId, blockIndex, into }: GetBlockRequest,
  answer: HttpAnswer,
): BlockAnswer {
  const data = answer.body;
  if (data.byteLength !== BLOCK_SIZE) {
    throw new TransportError(
      `GetSnapshotBlock of block ${blockIndex} brought ${data.byteLength} of ${BLOCK_SIZE} bytes`,
      { snapshotId, blockIndex, requestId: requestIdOf(answer) },
    );
  }
  // A body in chunks is put together in memory of its own.
  if (into !== undefined && data.buffer !== into.buffer) into.set(data);
  const digest = Buffer.from(answer.header('x-amz-checksum') ?? '', 'base64');
  return { data: into ?? data, digest };
}

/** The id that AWS support asks for. */
export function requestIdOf(answer: HttpAnswer): string | undefined {
  return answer.header('x-amzn-requestid');
}

function readJson(answer: HttpAnswer): object {
  const value = parseObject(answer.body.toString('utf8'));
  if (value !== undefined) return value;
  throw new TransportError('the answer is not JSON', { requestId: requestIdOf(answer) });
}

/** What an error answer says. */
export interface WireError {
  readonly serviceCode: string;
  readonly reason?: string;
  readonly serviceMessage: string;
}

/**
 * Reads an error answer of any form: the service's own (`Message`, `Reason`), the framework's (`message`), and what
 * proxies and load balancers send, which need not be JSON. The type is in a header, before the first colon.
 */
export function readError(answer: HttpAnswer): WireError {
  const text = answer.body.toString('utf8');
  const json = text === '' ? {} : parseObject(text);
  const { __type, code, message, Message, Reason } = (json ?? {}) as Record<string, unknown>;
  const type = [answer.header('x-amzn-errortype'), code, __type].find(isText) ?? 'UnknownError';
  // `aws.protocols#Name`, or `Name:http://…/`.
  const serviceCode = type.split(',')[0]?.split(':')[0]?.split('#').at(-1) ?? type;
  const serviceMessage = json === undefined ? foreignText(text) : [message, Message].find(isText);
  return {
    serviceCode,
    ...(isText(Reason) ? { reason: Reason } : {}),
    serviceMessage: serviceMessage ?? '',
  };
}

/** What is told of an answer that did not come from the service. */
export const NOT_JSON = 'an answer that is not JSON';

/** The beginning of such an answer, on one line. */
function foreignText(text: string): string {
  return `${NOT_JSON}: ${text.slice(0, 200).replace(/\s+/g, ' ').trim()}`;
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
