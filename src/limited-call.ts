import { abortError } from './base/errors.ts';
import type { Clock } from './base/clock.ts';

/** Milliseconds that the deletion of an unfinished snapshot, or a question to EC2, may take, repeats included. */
const CALL_MS_MAX = 10_000;

/**
 * Makes a call that a job can do without, for a limited time: EC2 may not be reachable where EBS is.
 * @param signal - ends the call at once.
 * @throws what the call throws: an AbortError when its time is over.
 */
export async function limitedCall<Result>(
  clock: Clock,
  call: (signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const calling = new AbortController();
  const limit = new AbortController();
  const onAbort = (): void => calling.abort(abortError(signal));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  clock.sleep(CALL_MS_MAX, limit.signal).then(
    () => calling.abort(),
    () => undefined,
  );
  try {
    return await call(calling.signal);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    limit.abort();
  }
}
