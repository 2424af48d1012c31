import type { EBSClient } from '@aws-sdk/client-ebs';
import { systemClock, type Clock } from './base/clock.ts';
import { SNAPSHOT_REQUESTS_PER_SECOND } from './base/constants.ts';
import { EventLoopLoad } from './base/event-loop-load.ts';
import type { Engine } from './engine/engine.ts';
import { loadSendQueue } from './engine/send-queue.ts';
import { blocksIn } from './base/units.ts';
import type { Listeners, RestoreEvents } from './events.ts';
import type { JobState } from './job.ts';
import type { LimitsInForce } from './limits.ts';
import type { TransportChoice } from './options.ts';
import { AdmittingTransport, type JoinGate } from './pipeline/admitting.ts';
import { Gate } from './pipeline/gate.ts';
import { Governor } from './pipeline/governor.ts';
import { RetryingTransport } from './pipeline/retrying.ts';
import { SharedGates, type GatePass } from './pipeline/shared-gates.ts';
import { VerifyingTransport } from './pipeline/verifying.ts';
import type { LineLimits } from './pipeline/waiting-line.ts';
import { WindowWatch, type WindowState } from './pipeline/window-watch.ts';
import { chooseTransport } from './transport/choose-transport.ts';
import { makeClient } from './transport/make-client.ts';
import { placeOf } from './transport/service-place.ts';

/** What a job talks to the service through. */
export interface Connection {
  readonly transport: RetryingTransport;
  readonly clock: Clock;
  /** Attempts repeated so far. */
  readonly retries: number;
  readonly throttles: JobState['throttles'];
  readonly spentMs: JobState['spentMs'];
  /** Undefined before the first block. */
  readonly window: WindowState | undefined;
  /** Says that something has changed, so that `window` may be worth an event. */
  lookAtWindow(): void;
  /** Changes what the job may use from now on. */
  setLimits(limits: LimitsInForce): void;
  /** Says that the job has no block to add any more, so that one slow request would hold up its end. */
  enterTail(): void;
}

/** What {@link connect} needs. */
export interface ConnectOptions {
  readonly client: EBSClient | undefined;
  readonly transport: TransportChoice | undefined;
  readonly limits: LimitsInForce;
  /** Verifies the blocks that are read. */
  readonly engine: Engine;
  readonly on: Listeners<Omit<RestoreEvents, 'progress'>>;
}

/** The gates of this process: jobs that share an endpoint, a region and an account share what they learn. */
const gates = new SharedGates();

/** Builds the layers of a job: retries around the gate, the gate around verified single attempts. */
export function connect(options: ConnectOptions): Connection {
  const { engine, on } = options;
  const clock = systemClock;
  const client = options.client ?? makeClient();
  const attempts = chooseTransport(client, {
    choice: options.transport,
    ownsClient: options.client === undefined,
    sendQueue: engine.name === 'native' ? loadSendQueue() : undefined,
  });
  let lineLimits = lineLimitsOf(options.limits);
  let pass: GatePass | undefined;
  /** Whether the job has come to its tail before its first block was at the gate. */
  let isEndingEarly = false;
  const join: JoinGate = async (operation, snapshotId) => {
    const { key, isAmazon } = await placeOf(client);
    const line = { snapshotId, ...lineLimits, retriesAsleep: () => transport.asleep };
    pass = gates.join(`${operation} ${key}`, line, () => makeGate(clock, isAmazon));
    if (isEndingEarly) pass.line.isEnding = true;
    return pass;
  };
  const window = (): WindowState | undefined => pass?.gate.stateOf(pass.line);
  const watch = new WindowWatch({
    read: window,
    report: (state) => on.window?.(state),
    now: () => clock.now(),
  });
  const throttles = { snapshot: 0, account: 0 };
  let retries = 0;
  const transport = new RetryingTransport(
    new AdmittingTransport(new VerifyingTransport(attempts, engine), join),
    {
      clock,
      random: Math.random,
      onRetry: ({ blockIndex, ...retry }) => {
        retries += 1;
        on.retry?.(blockIndex === undefined ? retry : { ...retry, blockIndex });
        watch.look();
      },
      onThrottle: ({ scope }, operation) => {
        throttles[scope] += 1;
        on.throttle?.({ scope, operation });
        watch.look();
      },
    },
  );
  return {
    transport,
    clock,
    get retries() {
      return retries;
    },
    get throttles() {
      return { ...throttles };
    },
    get spentMs() {
      return pass?.line.limiter.allSpentMs(clock.now()) ?? {};
    },
    get window() {
      return window();
    },
    lookAtWindow: () => watch.look(),
    setLimits: (limits) => {
      lineLimits = lineLimitsOf(limits);
      if (pass !== undefined) pass.gate.setLimits(pass.line, lineLimits);
    },
    enterTail: () => {
      if (pass === undefined) isEndingEarly = true;
      else pass.line.isEnding = true;
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

function lineLimitsOf(limits: LimitsInForce): LineLimits {
  return {
    memoryBlocks: blocksIn(limits.maxInFlightBytes),
    caps: {
      requestsPerSecond: limits.maxRequestsPerSecond,
      bytesPerSecond: limits.maxBytesPerSecond,
    },
  };
}
