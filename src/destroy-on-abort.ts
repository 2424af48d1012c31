import type { Writable } from 'node:stream';
import { abortError } from './base/errors.ts';

/** Destroys a stream when the signal aborts; the function returned makes the signal forget the stream. */
export function destroyOnAbort(stream: Writable, signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => undefined;
  const onAbort = (): void => void stream.destroy(abortError(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  // In the next tick, so that a pipeline still gets to hear the reason.
  if (signal.aborted) process.nextTick(onAbort);
  return () => signal.removeEventListener('abort', onAbort);
}
