import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import type { Operation } from './transport.ts';

/** What `ebs-snapshot-stream:request:start` carries; the other two channels carry it too. */
export interface RequestStartMessage {
  readonly operation: Operation;
  readonly snapshotId?: string | undefined;
  readonly blockIndex?: number | undefined;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly transport: 'lean' | 'sdk';
}

/** What `ebs-snapshot-stream:request:end` carries: the service accepted the request. */
export interface RequestEndMessage extends RequestStartMessage {
  /** Milliseconds from start to end. */
  readonly durationMs: number;
}

/** What `ebs-snapshot-stream:request:error` carries: the attempt failed; it may be tried again. */
export interface RequestErrorMessage extends RequestEndMessage {
  readonly error: Error;
}

const start = channel('ebs-snapshot-stream:request:start');
const end = channel('ebs-snapshot-stream:request:end');
const failure = channel('ebs-snapshot-stream:request:error');

/** Makes one request and tells the channels of it. Costs three look-ups while nobody has subscribed. */
export function published<T>(message: RequestStartMessage, request: () => Promise<T>): Promise<T> {
  if (!start.hasSubscribers && !end.hasSubscribers && !failure.hasSubscribers) return request();
  return publish(message, request);
}

async function publish<T>(message: RequestStartMessage, request: () => Promise<T>): Promise<T> {
  const startedAtMs = performance.now();
  start.publish(message);
  try {
    const answer = await request();
    end.publish({
      ...message,
      durationMs: performance.now() - startedAtMs,
    } satisfies RequestEndMessage);
    return answer;
  } catch (error) {
    failure.publish({
      ...message,
      durationMs: performance.now() - startedAtMs,
      error: error as Error,
    } satisfies RequestErrorMessage);
    throw error;
  }
}
