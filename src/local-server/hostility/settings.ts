import type { Lags } from '../snapshot-record.ts';
import type { EbsOperation } from '../wire-table.ts';
import type { Distribution } from './distribution.ts';
import type { FaultName } from './fault-table.ts';
import type { QuotaSettings } from './quotas.ts';

/** The network between client and service. */
export interface PathSettings {
  /** Bytes a second that all connections share, of request bodies and of answer bodies. */
  readonly upBytesPerSecond?: number;
  readonly downBytesPerSecond?: number;
  /** Bytes a second that one connection can have in each direction. */
  readonly connectionBytesPerSecond?: number;
  /** Half of it passes before a body is read, half before an answer leaves; a new connection costs one more. */
  readonly rttMs?: number;
  /** Bytes that the kernel takes in unread, and segments as small as Ethernet's. For connections made afterwards. */
  readonly receiveWindowBytes?: number;
}

/** How often a fault strikes, and how. */
export interface FaultRate {
  /** Probability for each request, 0 to 1. */
  readonly rate: number;
  /** Operations that it strikes. Default: all that it can. */
  readonly operations?: readonly string[];
  /** Once it strikes, it strikes every such request for so long. */
  readonly burstMs?: number;
  /** How long a stall lasts. Default: until the connection is closed. */
  readonly forMs?: number;
  /** `invisible`: the age at which a snapshot is seen everywhere. Default 60,000, by the service's clock. */
  readonly withinMs?: number;
}

/** How the service misbehaves at one time. What is left out is as it should be. */
export interface Conditions {
  readonly quotas?: QuotaSettings;
  /** From the end of a request to its answer, by operation; `default` for all others. */
  readonly latency?: Partial<Readonly<Record<EbsOperation | 'default', Distribution>>>;
  readonly path?: PathSettings;
  /** A number is the rate alone. */
  readonly faults?: Partial<Readonly<Record<FaultName, number | FaultRate>>>;
  /** Connections are accepted, nothing is answered; what has come is taken up when this ends. */
  readonly frozen?: boolean;
  /** Delays in place of those that the service was started with. */
  readonly lags?: Partial<Lags>;
}

/** Conditions that replace those of the same name at a later time. */
export interface HostilityStep extends Conditions {
  /** Milliseconds since the settings came in force. */
  readonly atMs: number;
}

/** Everything that can be set; an empty object is a service that behaves. */
export interface HostilitySettings extends Conditions {
  /** 0 to 4,294,967,295. Default: the seed in force, at first a random one. */
  readonly seed?: number;
  readonly schedule?: readonly HostilityStep[];
}

/** What is in force after a time: the steps that have come, each in place of what it names. */
export function conditionsAt(settings: HostilitySettings, elapsedMs: number): Conditions {
  const { quotas, latency, path, faults, frozen, lags, schedule = [] } = settings;
  let conditions: Conditions = Object.fromEntries(
    Object.entries({ quotas, latency, path, faults, frozen, lags }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  for (const { atMs, ...step } of schedule) {
    if (atMs <= elapsedMs) conditions = { ...conditions, ...step };
  }
  return conditions;
}

/** When the next step comes; undefined when none does. */
export function nextStepMs(
  { schedule = [] }: HostilitySettings,
  elapsedMs: number,
): number | undefined {
  return schedule.find(({ atMs }) => atMs > elapsedMs)?.atMs;
}
