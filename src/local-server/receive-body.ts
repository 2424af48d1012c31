import type { IncomingMessage } from 'node:http';

/** A body before it is hashed. */
export interface RawBody {
  readonly bytes: Uint8Array;
  readonly isTooLong: boolean;
  /** The client stopped sending; it may still be there to be told so. */
  readonly isCut: boolean;
  /** All bytes that came, whether or not they are kept. */
  readonly receivedSize: number;
}

/** Holds the reading back: resolves when it may go on, to false when it is to end. Undefined lets it go on at once. */
export type Gate = (receivedSize: number, chunkSize: number) => Promise<boolean> | undefined;

/** Bytes of an overlong body that are read and dropped, so that the client gets to see the answer. */
const DISCARD_MAX = 16 * 1_048_576;

/**
 * Reads a body into `buffer` and keeps nothing beyond it. Resolves when the body has ended, when the client is gone or
 * has sent nothing for the server's idle time, or when it is far too long.
 * @param gate - asked after each chunk; while it holds back, the socket is not read.
 */
export function receiveBody(
  request: IncomingMessage,
  buffer: Buffer,
  gate?: Gate,
): Promise<RawBody> {
  return new Promise((resolve) => {
    let length = 0;
    const end = (isCut: boolean): void => {
      request.off('data', onData).off('end', onEnd).off('close', onCut).off('timeout', onCut);
      const bytes = buffer.subarray(0, Math.min(length, buffer.length));
      resolve({ bytes, isTooLong: length > buffer.length, isCut, receivedSize: length });
    };
    const onData = (chunk: Buffer): void => {
      if (length < buffer.length) chunk.copy(buffer, length);
      length += chunk.length;
      if (length > buffer.length + DISCARD_MAX) end(false);
      else holdBack(chunk.length);
    };
    let held: Promise<boolean> | undefined;
    const holdBack = (chunkSize: number): void => {
      held = gate?.(length, chunkSize);
      if (held === undefined) return;
      request.pause();
      void held.then((goesOn) => (goesOn ? request.resume() : end(true)));
    };
    // The last chunk brings 'end' along, and that 'close', whether or not the reading is paused.
    const onEnd = (): void => {
      request.off('close', onCut);
      if (held === undefined) end(false);
      else void held.then((goesOn) => end(!goesOn));
    };
    const onCut = (): void => end(true);
    // The connection was dropped while the request waited for the buffer: there will be no event.
    if (request.destroyed) {
      end(true);
      return;
    }
    request.on('data', onData).on('end', onEnd).on('close', onCut).on('timeout', onCut);
    // A socket error is followed by 'close'; without a listener it would end the process.
    request.on('error', () => undefined);
  });
}
