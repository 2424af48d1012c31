import type { EBSClient } from '@aws-sdk/client-ebs';
import { systemClock, type Clock } from './base/clock.ts';
import { BLOCK_SIZE, SNAPSHOT_REQUESTS_PER_SECOND } from './base/constants.ts';
import type { Engine } from './engine/engine.ts';
import type { Listeners, RetryEvent, ThrottleEvent } from './events.ts';
import { DEFAULT_IN_FLIGHT_BYTES, type Limits, type TransportChoice } from './options.ts';
import { AdmittingTransport } from './pipeline/admitting.ts';
import { Gate } from './pipeline/gate.ts';
import { RetryingTransport } from './pipeline/retrying.ts';
import { TokenBucket } from './pipeline/token-bucket.ts';
import { VerifyingTransport } from './pipeline/verifying.ts';
import { FixedWindow } from './pipeline/window.ts';
import { chooseTransport } from './transport/choose-transport.ts';
import { makeClient } from './transport/sdk-transport.ts';

/** Requests in flight, memory permitting. Fixed until the adaptive window takes its place. */
const WINDOW = 64;

/** Sockets beside the window: lists and completions pass while every slot of the window is taken. */
const SPARE_SOCKETS = 4;

/** What a job talks to the service through. */
export interface Connection {
  readonly transport: RetryingTransport;
  readonly clock: Clock;
  /** Attempts admitted and not yet ended. */
  readonly inFlight: number;
  /** Attempts repeated so far. */
  readonly retries: number;
}

/** What {@link connect} needs. */
export interface ConnectOptions {
  readonly client: EBSClient | undefined;
  readonly transport: TransportChoice | undefined;
  readonly limits: Limits;
  /** Verifies the blocks that are read. */
  readonly engine: Engine;
  readonly on: Listeners<{ retry: RetryEvent; throttle: ThrottleEvent }>;
}

/** Builds the layers of a job: retries around the gate, the gate around verified single attempts. */
export function connect(options: ConnectOptions): Connection {
  const { client, limits, engine, on } = options;
  const clock = systemClock;
  const window = new FixedWindow(Math.min(WINDOW, inFlightBlocks(limits)));
  const gate = new Gate({
    window,
    requests: new TokenBucket({
      ratePerSecond: limits.maxRequestsPerSecond ?? SNAPSHOT_REQUESTS_PER_SECOND,
      nowMs: clock.now(),
    }),
    bytes:
      limits.maxBytesPerSecond === undefined
        ? undefined
        : new TokenBucket({ ratePerSecond: limits.maxBytesPerSecond, nowMs: clock.now() }),
    clock,
  });
  const attempts = chooseTransport(client ?? makeClient(window.limit + SPARE_SOCKETS), {
    choice: options.transport,
    ownsClient: client === undefined,
  });
  let retries = 0;
  const transport = new RetryingTransport(
    new AdmittingTransport(new VerifyingTransport(attempts, engine), gate),
    {
      clock,
      random: Math.random,
      onRetry: ({ blockIndex, ...retry }) => {
        retries += 1;
        on.retry?.(blockIndex === undefined ? retry : { ...retry, blockIndex });
      },
      onThrottle: ({ scope }, operation) => on.throttle?.({ scope, operation }),
    },
  );
  return {
    transport,
    clock,
    get inFlight() {
      return gate.inFlight;
    },
    get retries() {
      return retries;
    },
  };
}

function inFlightBlocks({ maxInFlightBytes = DEFAULT_IN_FLIGHT_BYTES }: Limits): number {
  return Math.max(1, Math.floor(maxInFlightBytes / BLOCK_SIZE));
}
