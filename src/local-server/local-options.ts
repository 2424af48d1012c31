import { readHostility } from './hostility/read-settings.ts';
import type { HostilitySettings } from './hostility/settings.ts';
import { NO_LAGS, type Lags } from './snapshot-record.ts';
import type { LocalCredentials } from './verify-signature.ts';
import { BLOCK_SIZE } from './wire-table.ts';

/** The credentials that a service accepts when it is given none. */
export const DEFAULT_LOCAL_CREDENTIALS: LocalCredentials = {
  accessKeyId: 'local',
  secretAccessKey: 'local-secret',
};

/** Options of {@link LocalEbs.start}. */
export interface LocalEbsOptions {
  /** The folder that holds the data; made when missing, taken up again when it is a store already. */
  readonly directory: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default '127.0.0.1'. Any other than loopback lets the network in, which Node announces with a warning. */
  readonly host?: string;
  /** What clients must sign with. Default {@link DEFAULT_LOCAL_CREDENTIALS}. */
  readonly credentials?: LocalCredentials;
  /** The only region to answer. Default: any; a snapshot exists in the region that it was started in. */
  readonly region?: string;
  /** The time by which snapshots and tokens live, epoch milliseconds. Signatures are judged by the machine's clock. */
  readonly clock?: { now(): number };
  /** Delays between events and what clients see of them. Default: none. */
  readonly lags?: Partial<Lags>;
  /** 12 digits. Default '111122223333'. */
  readonly accountId?: string;
  /** The account setting "encryption by default". Default false. */
  readonly encryptionByDefault?: boolean;
  /** ARN of the account's default key. Default: a stand-in for the AWS managed key. */
  readonly defaultKmsKeyArn?: string;
  /** How to misbehave; see {@link HostilitySettings}. Default: not at all. */
  readonly hostility?: HostilitySettings;
  /** Requests that {@link LocalEbs.history} remembers. Default 10,000. */
  readonly historyLimit?: number;
  /** Bytes of block buffers. Default 64 MiB. Requests beyond wait unread. */
  readonly maxBufferBytes?: number;
  /** Silence on a connection before it is dropped, in real milliseconds. Default 60,000. */
  readonly idleTimeoutMs?: number;
}

/** The options with every default filled in. */
export type ResolvedLocalOptions = Required<
  Omit<LocalEbsOptions, 'region' | 'defaultKmsKeyArn' | 'lags'>
> & {
  readonly region: string | undefined;
  readonly defaultKmsKeyArn: string | null;
  readonly lags: Lags;
};

const NAMES: ReadonlySet<string> = new Set<keyof LocalEbsOptions>([
  'directory',
  'port',
  'host',
  'credentials',
  'region',
  'clock',
  'lags',
  'accountId',
  'encryptionByDefault',
  'defaultKmsKeyArn',
  'hostility',
  'historyLimit',
  'maxBufferBytes',
  'idleTimeoutMs',
]);

/**
 * Checks the options and fills in the defaults.
 * @throws {TypeError} for an unknown name or a wrong type.
 * @throws {RangeError} for a number out of bounds.
 */
export function resolveLocalOptions(options: LocalEbsOptions): ResolvedLocalOptions {
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) throw new TypeError(`Unknown option ${name} of LocalEbs.`);
  }
  const {
    directory,
    credentials = DEFAULT_LOCAL_CREDENTIALS,
    accountId = '111122223333',
  } = options;
  if (directory === '') throw new TypeError('Expected a path for directory, received none.');
  if (!/^\d{12}$/.test(accountId)) {
    throw new TypeError(`Expected 12 digits for accountId, received ${accountId}.`);
  }
  if (credentials.accessKeyId === '' || credentials.secretAccessKey === '') {
    throw new TypeError('Expected accessKeyId and secretAccessKey in credentials, received none.');
  }
  return {
    directory,
    port: integer('port', options.port ?? 0, { min: 0, max: 65_535 }),
    host: options.host ?? '127.0.0.1',
    credentials,
    region: options.region,
    clock: options.clock ?? { now: () => Date.now() },
    lags: { ...NO_LAGS, ...options.lags },
    accountId,
    encryptionByDefault: options.encryptionByDefault ?? false,
    defaultKmsKeyArn: options.defaultKmsKeyArn ?? null,
    hostility: readHostility(options.hostility ?? {}),
    historyLimit: integer('historyLimit', options.historyLimit ?? 10_000, { min: 0 }),
    maxBufferBytes: integer('maxBufferBytes', options.maxBufferBytes ?? 64 * 1_048_576, {
      min: BLOCK_SIZE,
    }),
    idleTimeoutMs: integer('idleTimeoutMs', options.idleTimeoutMs ?? 60_000, { min: 1 }),
  };
}

function integer(name: string, value: number, bounds: { min: number; max?: number }): number {
  const { min, max = Number.MAX_SAFE_INTEGER } = bounds;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const range = bounds.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new RangeError(`Expected a whole number ${range} for ${name}, received ${value}.`);
}
