import type { EBSClientResolvedConfig } from '@aws-sdk/client-ebs';
import type { HttpResponse } from '@smithy/core/protocols';
import { createHash } from 'node:crypto';
import { TransportError } from '../base/errors.ts';
import { protocols, signatureV4 } from './aws-sdk.ts';
import type { SnapshotDescription, SnapshotStatus } from './transport.ts';
import type { WireRequest } from './wire.ts';

/** Where a service listens. */
export interface Endpoint {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
}

const EC2_API_VERSION = '2016-11-15';

/** Writes a call of the EC2 Query API. @param parameters - `Action` and what it takes. */
export function ec2Request(parameters: Readonly<Record<string, string>>): WireRequest {
  const form = new URLSearchParams({ ...parameters, Version: EC2_API_VERSION });
  const body = Buffer.from(form.toString());
  return {
    method: 'POST',
    path: '/',
    query: '',
    headers: [['content-type', 'application/x-www-form-urlencoded; charset=utf-8']],
    body,
    payloadHash: createHash('sha256').update(body).digest('hex'),
  };
}

/** Writes DescribeSnapshots for one snapshot. */
export function describeRequest(snapshotId: string): WireRequest {
  return ec2Request({ Action: 'DescribeSnapshots', 'SnapshotId.1': snapshotId });
}

/**
 * Takes the one snapshot out of DescribeSnapshots' answer.
 * @throws {TransportError} when the answer has it not: whatever answered is not EC2.
 */
export function readDescription(document: unknown, snapshotId: string): SnapshotDescription {
  const set = (document as DescribedSnapshots).DescribeSnapshotsResponse?.snapshotSet;
  const item = typeof set === 'object' ? set.item : undefined;
  if (item?.snapshotId !== snapshotId || item.status === undefined) {
    throw new TransportError(`DescribeSnapshots did not tell of ${snapshotId}`, { snapshotId });
  }
  const { status, statusMessage = '', volumeSize, encrypted, startTime } = item;
  const { fullSnapshotSizeInBytes: fullSize } = item;
  return {
    status,
    statusMessage,
    volumeSizeGiB: volumeSize === undefined ? undefined : Number(volumeSize),
    isEncrypted: encrypted === undefined ? undefined : encrypted === 'true',
    startTime: startTime === undefined ? undefined : new Date(startTime),
    fullSizeBytes: fullSize === undefined ? undefined : Number(fullSize),
  };
}

/**
 * Reads the answer to a call of the EC2 Query API.
 * @throws for a refusal an error of the shape of the SDK's own: `name`, `message`, `$metadata`.
 */
export async function readEc2Answer(statusCode: number, text: string): Promise<unknown> {
  const document = await parseXml(text);
  if (statusCode >= 300) throw toFailure(statusCode, document as ErrorDocument);
  return document;
}

/** The parser is a third of all modules that an upload would load, and most uploads never ask EC2. */
async function parseXml(text: string): Promise<unknown> {
  const { XMLParser } = await import('fast-xml-parser');
  return new XMLParser({ parseTagValue: false }).parse(text);
}

/**
 * The EC2 host beside an EBS host: `ebs.` and `ebs-fips.` become `ec2.` and `ec2-fips.`. Any other host (a local
 * service, a proxy) is taken to answer both.
 */
export function ec2Hostname(ebsHostname: string): string {
  return ebsHostname.replace(/^ebs(-fips)?\./, 'ec2$1.');
}

/** One call of the EC2 Query API, over an EBS client's credentials, region and sockets. */
export interface Ec2Query {
  readonly config: EBSClientResolvedConfig;
  /** The EBS endpoint in use; see {@link ec2Hostname}. */
  readonly endpoint: Endpoint;
  readonly request: WireRequest;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends one EC2 Query call through the client's request handler and returns the parsed XML document.
 * @throws what {@link readEc2Answer} throws, and what the handler does.
 */
export async function sendEc2Query(query: Ec2Query): Promise<unknown> {
  const { config, endpoint, signal } = query;
  const { method, path, headers, body } = query.request;
  const hostname = ec2Hostname(endpoint.hostname);
  const request = new protocols.HttpRequest({
    method,
    protocol: endpoint.protocol,
    hostname,
    ...(endpoint.port === undefined ? {} : { port: endpoint.port }),
    path,
    headers: {
      ...Object.fromEntries(headers),
      host: endpoint.port === undefined ? hostname : `${hostname}:${endpoint.port}`,
      'content-length': String(body?.byteLength ?? 0),
    },
    body,
  });
  const signer = new signatureV4.SignatureV4({
    service: 'ec2',
    region: config.region,
    credentials: config.credentials,
    sha256: config.sha256,
  });
  const signed = protocols.HttpRequest.clone(await signer.sign(request));
  const { response } = (await config.requestHandler.handle(
    signed,
    signal === undefined ? {} : { abortSignal: signal },
  )) as { response: HttpResponse };
  const text = Buffer.from(await config.streamCollector(response.body)).toString('utf8');
  return readEc2Answer(response.statusCode, text);
}

interface SnapshotSet {
  readonly item?: {
    readonly snapshotId?: string;
    readonly status?: SnapshotStatus;
    readonly statusMessage?: string;
    readonly volumeSize?: string;
    readonly encrypted?: string;
    readonly startTime?: string;
    readonly fullSnapshotSizeInBytes?: string;
  };
}

interface DescribedSnapshots {
  readonly DescribeSnapshotsResponse?: { readonly snapshotSet?: SnapshotSet | '' };
}

interface ErrorDocument {
  readonly Response?: {
    readonly Errors?: { readonly Error?: { readonly Code?: string; readonly Message?: string } };
    readonly RequestID?: string;
  };
}

function toFailure(httpStatusCode: number, document: ErrorDocument): Error {
  const { Code = 'UnknownError', Message = '' } = document.Response?.Errors?.Error ?? {};
  return Object.assign(new Error(Message), {
    name: Code,
    $metadata: { httpStatusCode, requestId: document.Response?.RequestID },
  });
}
