/** An answer, whole. */
export interface HttpAnswer {
  readonly statusCode: number;
  /** The value of a header, whatever its case; the first of several. */
  header(name: string): string | undefined;
  readonly body: Buffer;
  /** Whether the server will take another request on the same connection. */
  readonly isKeptAlive: boolean;
}

/** Bytes of status line and headers, or of one line of a chunked body, beyond which an answer is none. */
const HEAD_SIZE_MAX = 65_536;
/** Bytes of a body beyond which an answer is none: many times the largest page of a list. */
const BODY_SIZE_MAX = 64 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

/**
 * Reads the answer to one request from the bytes of a connection: HTTP/1.1 (RFC 9112), bodies with a length, in chunks,
 * or up to the end of the connection, with interim answers (1xx) passed over. What it is pushed is copied, so that one
 * buffer can serve every read of every connection, unless it was read into the room that it had for it.
 */
export class ResponseParser {
  #pending: Buffer = EMPTY;
  #head: AnswerHead | undefined;
  #body: BodyReader | undefined;
  #isBegun = false;
  readonly #into: Uint8Array | undefined;

  /** @param into - takes the body of an answer 200 that says to be just as long. */
  constructor(into?: Uint8Array) {
    this.#into = into;
  }

  /** Whether any byte of an answer has come. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** The place of the next bytes, if their number is known: the rest of the body. They are to be pushed nevertheless. */
  room(): Buffer | undefined {
    return this.#body?.room?.();
  }

  /**
   * Takes the next bytes; returns the answer as soon as it is whole.
   * @throws {Error} when they are not HTTP, or go on behind the answer.
   */
  push(chunk: Buffer): HttpAnswer | undefined {
    this.#isBegun = true;
    let rest = chunk;
    while (this.#body === undefined) {
      const afterHead = this.#takeHead(rest);
      if (afterHead === undefined) return undefined;
      rest = afterHead;
    }
    rest = this.#body.push(rest);
    if (!this.#body.isComplete) return undefined;
    // We never ask before the answer, so nothing may follow it.
    if (rest.length > 0) throw new Error('The server sent more than one answer');
    return this.#answer(this.#body);
  }

  /**
   * Says that the connection has ended; returns the answer if that completes it.
   * @throws {Error} when it was cut.
   */
  end(): HttpAnswer | undefined {
    if (!this.#isBegun) return undefined;
    if (this.#body?.endsWithConnection !== true) throw new Error('The answer was cut short');
    return this.#answer(this.#body);
  }

  /** Reads the head of an answer if it is whole, and returns the bytes behind it. */
  #takeHead(chunk: Buffer): Buffer | undefined {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      if (bytes.length > HEAD_SIZE_MAX) throw new Error('The head of the answer is too long');
      this.#pending = Buffer.from(bytes);
      return undefined;
    }
    this.#pending = EMPTY;
    const head = new AnswerHead(bytes.toString('latin1', 0, end + 2));
    // 100 Continue and its like announce the answer; 101 was never asked for.
    if (head.statusCode === 101) throw new Error('The server switches protocols');
    if (head.statusCode >= 200) {
      this.#head = head;
      this.#body = readerOf(head, this.#into);
    }
    return bytes.subarray(end + 4);
  }

  #answer(body: BodyReader): HttpAnswer {
    const head = this.#head;
    if (head === undefined) throw new Error('The answer has no head');
    return {
      statusCode: head.statusCode,
      header: (name) => head.header(name),
      body: body.bytes(),
      isKeptAlive: head.isKeptAlive && !body.endsWithConnection,
    };
  }
}

/** Status line and headers, kept as text: of the dozen headers of an answer two or three are looked at. */
class AnswerHead {
  readonly statusCode: number;
  readonly #text: string;
  readonly #lowerCase: string;

  constructor(text: string) {
    this.#text = text;
    this.#lowerCase = text.toLowerCase();
    const status = /^HTTP\/1\.[01] (\d{3})[ \r]/.exec(text)?.[1];
    if (status === undefined) throw new Error('The answer is not HTTP/1.1');
    this.statusCode = Number(status);
  }

  get isKeptAlive(): boolean {
    const connection = this.header('connection')?.toLowerCase();
    if (this.#text.startsWith('HTTP/1.0')) return connection === 'keep-alive';
    return connection?.includes('close') !== true;
  }

  header(name: string): string | undefined {
    const line = `\r\n${name.toLowerCase()}:`;
    const at = this.#lowerCase.indexOf(line);
    if (at < 0) return undefined;
    return this.#text.slice(at + line.length, this.#text.indexOf('\r\n', at + 2)).trim();
  }
}

/** Collects a body of one of the three framings. */
interface BodyReader {
  readonly isComplete: boolean;
  readonly endsWithConnection: boolean;
  /** Where what comes next belongs, if that is known. Not to be asked of a body that is complete. */
  room?(): Buffer;
  /** Takes what belongs to the body and returns the rest. */
  push(chunk: Buffer): Buffer;
  bytes(): Buffer;
}

/** RFC 9112 section 6.3. */
function readerOf(head: AnswerHead, into: Uint8Array | undefined): BodyReader {
  if (head.statusCode === 204 || head.statusCode === 304) return new SizedBody(0);
  const encoding = head.header('transfer-encoding');
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked') throw new Error(`Transfer-Encoding is ${encoding}`);
    return new ChunkedBody();
  }
  const length = head.header('content-length');
  if (length === undefined) return new EndlessBody();
  if (!/^\d+$/.test(length)) throw new Error(`Content-Length is ${length}`);
  const fits = head.statusCode === 200 && into?.byteLength === Number(length);
  return new SizedBody(Number(length), fits ? into : undefined);
}

class SizedBody implements BodyReader {
  readonly endsWithConnection = false;
  readonly #bytes: Buffer;
  #filled = 0;

  constructor(size: number, into?: Uint8Array) {
    if (size > BODY_SIZE_MAX) throw new Error(`The answer has a body of ${size} bytes`);
    if (into !== undefined) this.#bytes = asBuffer(into);
    // Not from Node's pool: a block read is kept for long, and is overwritten in full.
    else this.#bytes = size === 0 ? EMPTY : Buffer.allocUnsafeSlow(size);
  }

  get isComplete(): boolean {
    return this.#filled === this.#bytes.length;
  }

  room(): Buffer {
    return this.#bytes.subarray(this.#filled);
  }

  push(chunk: Buffer): Buffer {
    const { buffer, byteOffset } = this.#bytes;
    const isInPlace = chunk.buffer === buffer && chunk.byteOffset === byteOffset + this.#filled;
    if (!isInPlace) return this.#copy(chunk);
    this.#filled += chunk.length;
    return EMPTY;
  }

  bytes(): Buffer {
    return this.#bytes;
  }

  #copy(chunk: Buffer): Buffer {
    const copied = chunk.copy(this.#bytes, this.#filled);
    this.#filled += copied;
    return chunk.subarray(copied);
  }
}

/** The same bytes, under the methods of a Buffer. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

class EndlessBody implements BodyReader {
  readonly isComplete = false;
  readonly endsWithConnection = true;
  readonly #pieces = new Pieces();

  push(chunk: Buffer): Buffer {
    this.#pieces.add(chunk);
    return EMPTY;
  }

  bytes(): Buffer {
    return this.#pieces.bytes();
  }
}

class ChunkedBody implements BodyReader {
  readonly endsWithConnection = false;
  readonly #pieces = new Pieces();
  #isComplete = false;
  #line = '';
  /** Bytes of the current chunk still to come, or undefined between chunks, where a line is read. */
  #left: number | undefined;
  #expects: 'size' | 'line end' | 'trailer' = 'size';

  get isComplete(): boolean {
    return this.#isComplete;
  }

  push(chunk: Buffer): Buffer {
    let rest = chunk;
    while (rest.length > 0 && !this.#isComplete) {
      rest = this.#left === undefined ? this.#takeLine(rest) : this.#takeData(rest, this.#left);
    }
    return rest;
  }

  bytes(): Buffer {
    return this.#pieces.bytes();
  }

  #takeData(bytes: Buffer, left: number): Buffer {
    const data = bytes.subarray(0, left);
    this.#pieces.add(data);
    this.#left = left === data.length ? undefined : left - data.length;
    if (this.#left === undefined) this.#expects = 'line end';
    return bytes.subarray(data.length);
  }

  #takeLine(bytes: Buffer): Buffer {
    const end = bytes.indexOf('\n');
    this.#line += bytes.toString('latin1', 0, end < 0 ? bytes.length : end + 1);
    if (this.#line.length > HEAD_SIZE_MAX) throw new Error('A line of the answer is too long');
    if (end < 0) return EMPTY;
    const line = this.#line.trimEnd();
    this.#line = '';
    this.#read(line);
    return bytes.subarray(end + 1);
  }

  #read(line: string): void {
    if (this.#expects === 'trailer') {
      this.#isComplete = line === '';
      return;
    }
    if (this.#expects === 'line end') {
      if (line !== '') throw new Error('A chunk is longer than it said');
      this.#expects = 'size';
      return;
    }
    const size = /^([0-9a-f]{1,8})\s*(;.*)?$/i.exec(line)?.[1];
    if (size === undefined) throw new Error('A chunk has no size');
    this.#left = Number.parseInt(size, 16) || undefined;
    if (this.#left === undefined) this.#expects = 'trailer';
  }
}

/** Pieces of a body whose length is not known before its end. */
class Pieces {
  readonly #pieces: Buffer[] = [];
  #size = 0;

  add(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#size > BODY_SIZE_MAX) throw new Error('The body of the answer is too long');
    this.#pieces.push(Buffer.from(piece));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
