import type { EBSClient } from '@aws-sdk/client-ebs';
import { systemClock, type Clock } from './base/clock.ts';
import { BLOCK_SIZE, SNAPSHOT_REQUESTS_PER_SECOND } from './base/constants.ts';
import { EventLoopLoad } from './base/event-loop-load.ts';
import type { Engine } from './engine/engine.ts';
import type { Listeners, RetryEvent, ThrottleEvent } from './events.ts';
import { DEFAULT_IN_FLIGHT_BYTES, type Limits, type TransportChoice } from './options.ts';
import { AdmittingTransport, type JoinGate } from './pipeline/admitting.ts';
import { Gate } from './pipeline/gate.ts';
import { Governor } from './pipeline/governor.ts';
import type { Brake } from './pipeline/limiter.ts';
import { RetryingTransport } from './pipeline/retrying.ts';
import { SharedGates, type GatePass } from './pipeline/shared-gates.ts';
import { VerifyingTransport } from './pipeline/verifying.ts';
import { chooseTransport } from './transport/choose-transport.ts';
import { makeClient } from './transport/sdk-transport.ts';
import { placeOf } from './transport/service-place.ts';

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
  /** What keeps the job from being faster; undefined before its first block. */
  readonly limitedBy: Brake | undefined;
  /** Says that the job has no block to add any more, so that one slow request would hold up its end. */
  enterTail(): void;
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

/** The gates of this process: jobs that share an endpoint, a region and an account share what they learn. */
const gates = new SharedGates();

/** Builds the layers of a job: retries around the gate, the gate around verified single attempts. */
export function connect(options: ConnectOptions): Connection {
  const { limits, engine, on } = options;
  const clock = systemClock;
  const memoryBlocks = inFlightBlocks(limits);
  const client = options.client ?? makeClient(memoryBlocks + SPARE_SOCKETS);
  const attempts = chooseTransport(client, {
    choice: options.transport,
    ownsClient: options.client === undefined,
  });
  let pass: GatePass | undefined;
  const join: JoinGate = async (operation, snapshotId) => {
    const { key, isAmazon } = await placeOf(client);
    const line = {
      snapshotId,
      memoryBlocks,
      caps: {
        requestsPerSecond: limits.maxRequestsPerSecond,
        bytesPerSecond: limits.maxBytesPerSecond,
      },
      retriesAsleep: () => transport.asleep,
    };
    pass = gates.join(`${operation} ${key}`, line, () => makeGate(clock, isAmazon));
    return pass;
  };
  let retries = 0;
  const transport = new RetryingTransport(
    new AdmittingTransport(new VerifyingTransport(attempts, engine), join),
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
      return pass?.line.inFlight ?? 0;
    },
    get retries() {
      return retries;
    },
    get limitedBy() {
      return pass?.line.limiter.brake;
    },
    enterTail: () => {
      if (pass !== undefined) pass.line.isEnding = true;
    },
  };
}

/** Begins with the documented quotas at Amazon's own endpoints; elsewhere none is known until the first refusal. */
function makeGate(clock: Clock, isAmazon: boolean): Gate {
  const quota = isAmazon ? SNAPSHOT_REQUESTS_PER_SECOND : Infinity;
  const cpu = new EventLoopLoad();
  const governor = new Governor({
    accountPerSecond: quota,
    snapshotPerSecond: quota,
    isCpuBusy: () => cpu.isBusy,
    nowMs: clock.now(),
  });
  return new Gate({ governor, clock });
}

function inFlightBlocks({ maxInFlightBytes = DEFAULT_IN_FLIGHT_BYTES }: Limits): number {
  return Math.max(1, Math.floor(maxInFlightBytes / BLOCK_SIZE));
}
