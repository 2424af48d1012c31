import { describe, expect, test } from 'vitest';
import { ResponseParser, type HttpAnswer } from '../../../src/transport/response-parser.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SIZED = 'HTTP/1.1 201 Created\r\nContent-Length: 2\r\nx-Amz-Checksum:  abc \r\n\r\n{}';
const CHUNKED =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n' +
  'A;name=value\r\n0123456789\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n';
const INTERIM = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n';

/** Pushes a text cut at `cuts`, overwriting each piece afterwards, as a shared buffer is. */
function parse(text: string, cuts: readonly number[] = []): HttpAnswer | undefined {
  const parser = new ResponseParser();
  const ends = [...cuts, text.length];
  let answer: HttpAnswer | undefined;
  ends.forEach((end, i) => {
    const piece = Buffer.from(text.slice(ends[i - 1] ?? 0, end), 'latin1');
    answer = parser.push(piece) ?? answer;
    piece.fill('#');
  });
  return answer ?? parser.end();
}

function shown(answer: HttpAnswer | undefined): unknown {
  if (answer === undefined) return undefined;
  const { statusCode, isKeptAlive } = answer;
  const checksum = answer.header('x-amz-checksum');
  return { statusCode, isKeptAlive, checksum, body: answer.body.toString('latin1') };
}

describe('reads', () => {
  test('a body with a length, and headers in any case', () => {
    const answer = parse(SIZED);
    expect(shown(answer)).toMatchObject({ statusCode: 201, body: '{}', isKeptAlive: true });
    expect(answer?.header('X-AMZ-Checksum')).toBe('abc');
    expect(answer?.header('content-lengt')).toBeUndefined();
  });

  test.each([
    ['a chunked body', CHUNKED, '0123456789\n', true],
    ['what follows interim answers', INTERIM + SIZED, '{}', true],
    ['a body up to the end', 'HTTP/1.1 200 OK\r\n\r\nall', 'all', false],
    ['an answer without a body', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
    ['a status without words', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n', '', true],
    [
      'Connection: close',
      'HTTP/1.1 400 Bad\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx',
      'x',
      false,
    ],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', 'x', false],
    [
      'HTTP/1.0 kept alive',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx',
      'x',
      true,
    ],
  ])('%s', (_name, text, body, isKeptAlive) => {
    expect(shown(parse(text))).toMatchObject({ body, isKeptAlive });
  });

  test.each([SIZED, CHUNKED, INTERIM + SIZED, INTERIM + CHUNKED])(
    'the same however it is cut: %j',
    (text) => {
      const whole = shown(parse(text));
      for (let at = 1; at < text.length; at += 1) expect(shown(parse(text, [at]))).toEqual(whole);
      const each = Array.from({ length: text.length - 1 }, (_, i) => i + 1);
      expect(shown(parse(text, each))).toEqual(whole);
      for (let seed = 1; seed <= 50; seed += 1) {
        const random = seededRandom(seed);
        const cuts = each.filter(() => random() < 0.2);
        expect(shown(parse(text, cuts)), `seed ${seed}`).toEqual(whole);
      }
    },
  );
});

describe('has room for the rest of a body', () => {
  const body = Buffer.from('0123456789');
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;

  test.each([0, 1, 4, 9])('of which %i bytes came with its head', (early) => {
    const into = Buffer.alloc(body.length);
    const parser = new ResponseParser(into);
    expect(parser.room()).toBeUndefined();
    expect(parser.push(Buffer.from(head + body.toString('latin1', 0, early)))).toBeUndefined();
    // One byte into its place, the rest from elsewhere or into its place too.
    const room = parser.room();
    expect(room?.length).toBe(body.length - early);
    room?.set(body.subarray(early, early + 1));
    let answer = parser.push(room?.subarray(0, 1) ?? body);
    for (let at = early + 1; at < body.length; at += 1) {
      const byte = body.subarray(at, at + 1);
      const isInPlace = at % 2 === 0;
      if (isInPlace) parser.room()?.set(byte);
      answer = parser.push(isInPlace ? into.subarray(at, at + 1) : byte);
    }
    expect(answer?.body.toString()).toBe(body.toString());
    expect(into.toString()).toBe(body.toString());
  });

  test('in memory of its own when the answer is none that was asked for', () => {
    const into = Buffer.alloc(body.length);
    const parser = new ResponseParser(into);
    parser.push(Buffer.from(head.replace('200', '503')));
    const room = parser.room() ?? Buffer.alloc(0);
    room.set(body);
    expect(parser.push(room)?.body.toString()).toBe(body.toString());
    expect(into.every((byte) => byte === 0)).toBe(true);
  });

  test('not when its length is unknown', () => {
    const parser = new ResponseParser();
    parser.push(Buffer.from(CHUNKED.slice(0, -20)));
    expect(parser.room()).toBeUndefined();
  });
});

describe('refuses', () => {
  test.each([
    ['what is not HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', /not HTTP/],
    ['another protocol', 'HTTP/1.1 101 Switching\r\n\r\n', /switches/],
    ['a second answer', SIZED + SIZED, /more than one/],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}', /Length/],
    [
      'a length beyond all bounds',
      'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n',
      /bytes/,
    ],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n', /gzip/],
    [
      'a chunk without a size',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
      /size/,
    ],
    [
      'a chunk longer than it said',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n',
      /longer/,
    ],
    ['a head without an end', `HTTP/1.1 200 OK\r\n${'x'.repeat(70_000)}`, /too long/],
    ['a body that was cut', SIZED.slice(0, -1), /cut short/],
    ['a head that was cut', 'HTTP/1.1 200', /cut short/],
    ['a chunked body that was cut', CHUNKED.slice(0, -2), /cut short/],
  ])('%s', (_name, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});
