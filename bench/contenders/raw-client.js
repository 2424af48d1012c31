import { createHash, createHmac } from 'node:crypto';
import { connect } from 'node:net';

const REGION = 'us-east-1';
const HEAD_END = '\r\n\r\n';

/**
 * An answer: the status, the head as text, and the body, unless it was not to be kept.
 * @typedef {{ status: number, head: string, body: Buffer | undefined }} RawAnswer
 */

/** A kept-alive connection with one request at a time, which does as little as a client can. */
export class RawClient {
  #socket;
  #chunks = [];
  #missing = 0;
  #answer;
  #keepsBody = true;

  /** @param {URL} endpoint */
  constructor({ hostname, port }) {
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#answer?.reject(error));
  }

  /**
   * Sends a request, and resolves when the whole answer has come.
   * @param {Buffer} head
   * @param {Uint8Array} [body]
   * @param {{ keepsBody?: boolean }} [options]
   * @returns {Promise<RawAnswer>}
   */
  send(head, body, { keepsBody = true } = {}) {
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      this.#keepsBody = keepsBody;
      this.#socket.cork();
      this.#socket.write(head);
      if (body !== undefined) this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  close() {
    this.#socket.destroy();
  }

  #take(chunk) {
    if (this.#missing === 0) this.#takeHead(chunk);
    else this.#takeBody(chunk);
  }

  #takeHead(chunk) {
    this.#chunks.push(chunk);
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return;
    const head = bytes.toString('latin1', 0, end);
    this.#answer.status = Number(head.slice(9, 12));
    this.#answer.head = head;
    this.#missing = contentLength(head);
    this.#chunks = [];
    this.#takeBody(bytes.subarray(end + HEAD_END.length));
  }

  #takeBody(chunk) {
    this.#missing -= chunk.length;
    if (this.#keepsBody) this.#chunks.push(chunk);
    if (this.#missing > 0) return;
    const { resolve, status, head } = this.#answer;
    const body = this.#keepsBody ? Buffer.concat(this.#chunks) : undefined;
    this.#chunks = [];
    resolve({ status, head, body });
  }
}

function contentLength(head) {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length === undefined) throw new Error(`Expected a Content-Length in ${head}`);
  return Number(length);
}

/**
 * Writes the head of a request, signed for the service's default credentials.
 * @param {URL} endpoint
 * @param {{ method: string, path: string, query?: string, headers?: Record<string, string>, bodySize?: number,
 *   payloadHash?: string }} request `headers` in lower case and in order, `query` encoded and in order
 * @returns {Buffer}
 */
export function signedHead(endpoint, request) {
  const { method, path, query = '', headers: own = {}, bodySize = 0 } = request;
  const { payloadHash = 'UNSIGNED-PAYLOAD' } = request;
  const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${REGION}/ebs/aws4_request`;
  const fixed = { 'x-amz-content-sha256': payloadHash, 'x-amz-date': time };
  const entries = Object.entries({ host: endpoint.host, ...own, ...fixed }).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const names = entries.map(([name]) => name).join(';');
  const lines = entries.map(([name, value]) => `${name}:${value}`);
  const canonical = [method, path, query, ...lines, '', names, payloadHash].join('\n');
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical).toString('hex')].join('\n');
  const signature = hmac(scope.split('/').reduce(hmac, 'AWS4local-secret'), text).toString('hex');
  const credential = `Credential=local/${scope}`;
  return Buffer.from(
    [
      `${method} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1`,
      ...lines,
      `authorization:AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
      `content-length:${bodySize}${HEAD_END}`,
    ].join('\r\n'),
  );
}

/** @param {string | Uint8Array} data */
export function sha256(data) {
  return createHash('sha256').update(data).digest();
}

function hmac(key, text) {
  return createHmac('sha256', key).update(text).digest();
}
