import { SignatureV4 } from '@smithy/signature-v4';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { LocalEbs, type LocalEbsOptions } from '../../src/local.ts';

/** Bytes in a block, as the contract states it. */
export const BLOCK_SIZE = 524_288;

/** A request as it is to go over the wire. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Default 'ebs'. */
  readonly service?: string;
  readonly region?: string;
  readonly signingDate?: Date;
  readonly credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Default true: x-amz-content-sha256 is sent. Without it the signature covers the body all the same. */
  readonly applyChecksum?: boolean;
  /** Sent in place of the body that was signed; of the same length. */
  readonly otherBody?: Uint8Array | string;
  /** Sent in place of the path that was signed. */
  readonly wirePath?: string;
  /** Changes the signed headers before they are sent. */
  readonly tamper?: (headers: Record<string, string>) => void;
}

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  /** Header names in the spelling of the server. */
  readonly headerNames: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON; an empty object when it is none. */
  readonly json: Record<string, unknown>;
}

/** SHA-256 and HMAC in the shape that the SDK's signer wants. */
export class NodeSha256 {
  readonly #hash: ReturnType<typeof createHash | typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', typeof secret === 'string' ? secret : toBuffer(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === 'string' ? data : toBuffer(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('not used');
  }
}

function toBuffer(data: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}

interface StartedWith {
  readonly clock: ServiceUnderTest['clock'];
  readonly options: Partial<LocalEbsOptions>;
}

/** A service with a clock of its own and a client that signs with the SDK's signer, both closed after the file's tests. */
export class ServiceUnderTest {
  readonly clock: { ms: number; now(): number };
  #ebs: LocalEbs;
  readonly #options: Partial<LocalEbsOptions>;
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(ebs: LocalEbs, parts: StartedWith) {
    this.#ebs = ebs;
    this.clock = parts.clock;
    this.#options = parts.options;
  }

  get ebs(): LocalEbs {
    return this.#ebs;
  }

  /** Call at the top of a file: `const service = await ServiceUnderTest.start()`. */
  static async start(options: Partial<LocalEbsOptions> = {}): Promise<ServiceUnderTest> {
    const service = await ServiceUnderTest.startAlone(options);
    afterAll(() => service.close());
    return service;
  }

  /** For inside a test, which must close it. */
  static async startAlone(options: Partial<LocalEbsOptions> = {}): Promise<ServiceUnderTest> {
    const directory = await mkdtemp(join(tmpdir(), 'ebs-local-'));
    const clock = { ms: Date.parse('2026-09-25T11:57:20.570Z'), now: () => clock.ms };
    const ebs = await LocalEbs.start({ directory, clock, ...options });
    return new ServiceUnderTest(ebs, { clock, options });
  }

  /** Ends the service and starts it again on the same folder, with other options when some are given. */
  async restart(options: Partial<LocalEbsOptions> = {}): Promise<void> {
    const { directory } = this.#ebs;
    await this.#ebs.close();
    this.#ebs = await LocalEbs.start({
      ...this.#options,
      ...options,
      directory,
      clock: this.clock,
    });
  }

  /** Closes service and client, and removes the folder. */
  async close(): Promise<void> {
    this.#agent.destroy();
    await this.ebs.close();
    await rm(this.ebs.directory, { recursive: true, force: true });
  }

  /** Signs and sends one request. */
  async send(request: RawRequest): Promise<RawAnswer> {
    const { method, path, query = {}, body = '' } = request;
    const { host, hostname, port } = new URL(this.ebs.endpoint);
    const signer = new SignatureV4({
      service: request.service ?? 'ebs',
      region: request.region ?? this.ebs.region,
      credentials: request.credentials ?? { ...this.ebs.credentials },
      sha256: NodeSha256,
      applyChecksum: request.applyChecksum ?? true,
    });
    const signed = await signer.sign(
      {
        method,
        protocol: 'http:',
        hostname,
        port: Number(port),
        path,
        query: { ...query },
        headers: { host, ...request.headers },
        body,
      },
      { signingDate: request.signingDate ?? new Date() },
    );
    const headers: Record<string, string> = {
      'content-length': String(Buffer.byteLength(body)),
      ...signed.headers,
    };
    request.tamper?.(headers);
    const search = Object.entries(query)
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
      .join('&');
    return this.sendRaw({
      method,
      path: request.wirePath ?? (search === '' ? path : `${path}?${search}`),
      headers,
      body: request.otherBody ?? body,
    });
  }

  /** Sends one request as it is. */
  sendRaw(request: Omit<RawRequest, 'query'>): Promise<RawAnswer> {
    const { hostname, port } = new URL(this.ebs.endpoint);
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        {
          hostname,
          port,
          agent: this.#agent,
          method: request.method,
          path: request.path,
          headers: request.headers,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const body = Buffer.concat(chunks);
            resolve({
              status: response.statusCode ?? 0,
              httpVersion: response.httpVersion,
              headers: response.headers,
              headerNames: response.rawHeaders.filter((_, i) => i % 2 === 0),
              body,
              text: body.toString(),
              json: parseJson(body),
            });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(request.body);
    });
  }

  /** StartSnapshot with VolumeSize 1 unless told otherwise. */
  start(body: object = {}, request: Partial<RawRequest> = {}): Promise<RawAnswer> {
    return this.send({
      method: 'POST',
      path: '/snapshots',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ VolumeSize: 1, ...body }),
      ...request,
    });
  }

  /** A new snapshot's id. */
  async newSnapshot(body: object = {}): Promise<string> {
    const { status, json, text } = await this.start({ ClientToken: randomUUID(), ...body });
    if (status !== 201) throw new Error(text);
    return String(json.SnapshotId);
  }

  /** PutSnapshotBlock; the headers are right for `data` unless given. */
  put(put: PutSpec): Promise<RawAnswer> {
    const { snapshotId, index, data = block(1) } = put;
    const headers: Record<string, string> = {
      'content-type': 'application/octet-stream',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      'x-amz-data-length': String(data.length),
      'x-amz-checksum': digestOf(data),
      'x-amz-checksum-algorithm': 'SHA256',
      ...put.headers,
    };
    return this.send({
      method: 'PUT',
      path: `/snapshots/${snapshotId}/blocks/${index}`,
      headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== '')),
      body: data,
      ...put.request,
    });
  }

  /** CompleteSnapshot with nothing but what is given. */
  complete(
    snapshotId: string,
    given: { count?: number | string; checksum?: string; algorithm?: string; method?: string },
  ): Promise<RawAnswer> {
    const headers = {
      'x-amz-ChangedBlocksCount': given.count === undefined ? '' : String(given.count),
      'x-amz-Checksum': given.checksum ?? '',
      'x-amz-Checksum-Algorithm': given.algorithm ?? '',
      'x-amz-Checksum-Aggregation-Method': given.method ?? '',
    };
    return this.send({
      method: 'POST',
      path: `/snapshots/completion/${snapshotId}`,
      headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== '')),
    });
  }

  /** ListSnapshotBlocks. */
  list(snapshotId: string, query: Record<string, string> = {}): Promise<RawAnswer> {
    return this.send({ method: 'GET', path: `/snapshots/${snapshotId}/blocks`, query });
  }

  /** ListChangedBlocks; without `first` the parameter is not sent. */
  changed(
    first: string | undefined,
    second: string,
    query: Record<string, string> = {},
  ): Promise<RawAnswer> {
    return this.send({
      method: 'GET',
      path: `/snapshots/${second}/changedblocks`,
      query: { ...(first === undefined ? {} : { firstSnapshotId: first }), ...query },
    });
  }

  /** GetSnapshotBlock; without `token` the parameter is not sent. */
  get(snapshotId: string, index: number | string, token?: string): Promise<RawAnswer> {
    return this.send({
      method: 'GET',
      path: `/snapshots/${snapshotId}/blocks/${index}`,
      query: token === undefined ? {} : { blockToken: token },
    });
  }

  /** An EC2 Query call. */
  ec2(action: string, parameters: Record<string, string> = {}): Promise<RawAnswer> {
    return this.send({
      method: 'POST',
      path: '/',
      service: 'ec2',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      body: new URLSearchParams({
        Action: action,
        Version: '2016-11-15',
        ...parameters,
      }).toString(),
    });
  }

  /** A completed snapshot that holds `block(byte)` at each index. */
  async stored(contents: Readonly<Record<number, number>>, body: object = {}): Promise<string> {
    const id = await this.newSnapshot(body);
    for (const [index, byte] of Object.entries(contents)) {
      await this.put({ snapshotId: id, index: Number(index), data: block(byte) });
    }
    await this.complete(id, { count: Object.keys(contents).length });
    return id;
  }

  /** The state that EC2 shows, and its message. */
  async stateOf(snapshotId: string): Promise<string> {
    const { text } = await this.ec2('DescribeSnapshots', { 'SnapshotId.1': snapshotId });
    const status = /<status>(.*)<\/status>/.exec(text)?.[1] ?? text;
    const message = /<statusMessage>(.*)<\/statusMessage>/.exec(text)?.[1];
    return message === undefined ? status : `${status}: ${message}`;
  }

  /** Every block token of a snapshot by index. */
  async tokens(snapshotId: string): Promise<Map<number, string>> {
    const { json } = await this.list(snapshotId, { maxResults: '10000' });
    const blocks = json.Blocks as { BlockIndex: number; BlockToken: string }[];
    return new Map(blocks.map(({ BlockIndex, BlockToken }) => [BlockIndex, BlockToken]));
  }
}

/** A Put; a header given as '' is left out. */
export interface PutSpec {
  readonly snapshotId: string;
  readonly index: number | string;
  readonly data?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly request?: Partial<RawRequest>;
}

/** A block filled with one byte. */
export function block(byte: number): Buffer {
  return Buffer.alloc(BLOCK_SIZE, byte);
}

/** Base64 of the SHA-256 of `data`. */
export function digestOf(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('base64');
}

/** Base64 of the LINEAR aggregate of blocks in index order. */
export function linearOf(...blocks: readonly Uint8Array[]): string {
  const digests = blocks.map((data) => createHash('sha256').update(data).digest());
  return digestOf(Buffer.concat(digests));
}

function parseJson(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** An error as a case expects it. */
export interface ExpectedError {
  readonly status: number;
  readonly type: string;
  readonly family: 'service' | 'constraint' | 'framework';
  readonly reason?: string;
  /** The whole text, or a part of it as an expression. */
  readonly message?: string | RegExp;
}

const NAMESPACES = {
  service: 'http://internal.amazon.com/coral/com.amazon.zeppelindataservice/',
  constraint: 'http://internal.amazon.com/coral/com.amazon.coral.validate/',
  framework: 'http://internal.amazon.com/coral/com.amazon.coral.service/',
};

/** What an error answer says, in the shape in which cases state it. */
export function errorOf(answer: RawAnswer): Record<string, unknown> {
  const [type, ...namespace] = String(answer.headers['x-amzn-errortype']).split(':');
  const family = Object.entries(NAMESPACES).find(([, uri]) => uri === namespace.join(':'))?.[0];
  const { Message, Reason, message } = answer.json;
  return {
    status: answer.status,
    type,
    family,
    ...(Reason === undefined ? {} : { reason: Reason }),
    message: family === 'service' ? Message : message,
  };
}

/** The constraint error with one clause. */
export function constraint(clause: string): ExpectedError {
  return {
    status: 400,
    type: 'ValidationException',
    family: 'constraint',
    message: `1 validation error detected: ${clause}`,
  };
}

/** A business-rule error. */
export function validation(reason: string, message: string | RegExp): ExpectedError {
  return { status: 400, type: 'ValidationException', family: 'service', reason, message };
}

/** SNAPSHOT_NOT_FOUND for an id. */
export function missing(snapshotId: string): ExpectedError {
  return {
    status: 404,
    type: 'ResourceNotFoundException',
    family: 'service',
    reason: 'SNAPSHOT_NOT_FOUND',
    message: `The snapshot '${snapshotId}' does not exist.`,
  };
}
