import { NO_LAGS } from '../snapshot-record.ts';
import { OPERATIONS } from '../wire-table.ts';
import { FAULTS } from './fault-table.ts';
import type { HostilitySettings } from './settings.ts';

/** Checks one value; `at` is its name in messages. */
type Check = (value: unknown, at: string) => void;

const MAX = Number.MAX_SAFE_INTEGER;
const SEED_MAX = 4_294_967_295;
/** Longer than timers can wait. */
const WAIT_MAX_MS = 2_147_483_647;

const milliseconds = number(0, WAIT_MAX_MS);
const share = number(0, 1);
const perSecond = number(0, MAX);
const bandwidth = number(1, MAX);

const quota = members({ rate: perSecond, depth: number(1, MAX) }, ['rate']);
const byOperation = (check: Check): Check => members(fill(Object.keys(OPERATIONS), check));

const tail = members(
  { probability: share, minMs: milliseconds, alpha: number(0.01, 100), maxMs: milliseconds },
  ['probability', 'minMs', 'alpha'],
);

const faultRate = members(
  {
    rate: share,
    operations: list(text),
    burstMs: milliseconds,
    forMs: milliseconds,
    withinMs: milliseconds,
  },
  ['rate'],
);

const CONDITIONS: Readonly<Record<string, Check>> = {
  quotas: members({
    account: byOperation(quota),
    snapshot: byOperation(quota),
    neighbour: byOperation(perSecond),
    accountError: oneOf('RequestThrottledException', 'ThrottlingException'),
    refuse: oneOf('early', 'after-body'),
    pendingSnapshots: whole(0, MAX),
  }),
  latency: members(fill(['default', ...Object.keys(OPERATIONS)], distribution)),
  path: members({
    upBytesPerSecond: bandwidth,
    downBytesPerSecond: bandwidth,
    connectionBytesPerSecond: bandwidth,
    rttMs: milliseconds,
    receiveWindowBytes: whole(1, 1_073_741_824),
  }),
  faults: members(
    fill(Object.keys(FAULTS), (value, at) =>
      (typeof value === 'number' ? share : faultRate)(value, at),
    ),
  ),
  frozen: (value, at) => {
    if (typeof value !== 'boolean') throw unfit(TypeError, 'true or false', at, value);
  },
  lags: members(fill(Object.keys(NO_LAGS), number(0, MAX))),
};

const steps = list(members({ ...CONDITIONS, atMs: milliseconds }, ['atMs']));

const settings = members({
  ...CONDITIONS,
  seed: whole(0, SEED_MAX),
  schedule: (value, at) => {
    steps(value, at);
    const times = (value as readonly { atMs: number }[]).map(({ atMs }) => atMs);
    const late = times.findIndex((atMs, i) => atMs < (times[i - 1] ?? 0));
    if (late >= 0) {
      throw unfit(
        RangeError,
        'no earlier time than the step before',
        `${at}[${late}].atMs`,
        times[late],
      );
    }
  },
});

/**
 * Checks settings, wherever they come from: the constructor, a flag or a request. Returns a copy that nobody else has.
 * @throws {TypeError|RangeError} one sentence: what was expected, for which setting, what was received.
 */
export function readHostility(value: unknown): HostilitySettings {
  settings(value, 'hostility');
  return structuredClone(value) as HostilitySettings;
}

function members(checks: Readonly<Record<string, Check>>, required: readonly string[] = []): Check {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw unfit(TypeError, 'an object', at, value);
    }
    const given = value as Record<string, unknown>;
    for (const name of required) {
      if (given[name] === undefined) throw unfit(TypeError, 'a value', `${at}.${name}`, undefined);
    }
    for (const [name, member] of Object.entries(given)) {
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
      if (check === undefined) {
        const error = new TypeError(`Unknown setting ${at}.${name}.`);
        throw Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
      }
      if (member !== undefined) check(member, `${at}.${name}`);
    }
  };
}

function list(check: Check): Check {
  return (value, at) => {
    if (!Array.isArray(value)) throw unfit(TypeError, 'a list', at, value);
    for (const [i, entry] of value.entries()) check(entry, `${at}[${i}]`);
  };
}

/** A number, or an object that has the members of one of the forms. */
function distribution(value: unknown, at: string): void {
  if (typeof value === 'number') {
    milliseconds(value, at);
    return;
  }
  const isLogNormal = typeof value === 'object' && value !== null && 'medianMs' in value;
  const form = isLogNormal
    ? members({ medianMs: milliseconds, sigma: number(0, 10), tail }, ['medianMs', 'sigma'])
    : members({ minMs: milliseconds, maxMs: milliseconds, tail }, ['minMs', 'maxMs']);
  form(value, at);
}

function number(min: number, max: number): Check {
  return (value, at) => {
    if (typeof value === 'number' && value >= min && value <= max) return;
    throw unfit(RangeError, `a number ${range(min, max)}`, at, value);
  };
}

function whole(min: number, max: number): Check {
  return (value, at) => {
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
    throw unfit(RangeError, `a whole number ${range(min, max)}`, at, value);
  };
}

function range(min: number, max: number): string {
  return max === MAX ? `of at least ${min}` : `from ${min} to ${max}`;
}

function text(value: unknown, at: string): void {
  if (typeof value !== 'string') throw unfit(TypeError, 'a text', at, value);
}

function oneOf(...choices: readonly string[]): Check {
  return (value, at) => {
    if (!choices.some((choice) => choice === value)) {
      throw unfit(TypeError, choices.join(' or '), at, value);
    }
  };
}

function fill(names: readonly string[], check: Check): Record<string, Check> {
  return Object.fromEntries(names.map((name) => [name, check]));
}

function unfit(
  Kind: typeof TypeError | typeof RangeError,
  expected: string,
  at: string,
  received: unknown,
): Error {
  const shown = received === undefined ? 'none' : JSON.stringify(received);
  // Codes as Node has them, by which the command tells a wrong value from a failure.
  const code = Kind === TypeError ? 'ERR_INVALID_ARG_TYPE' : 'ERR_OUT_OF_RANGE';
  return Object.assign(new Kind(`Expected ${expected} for ${at}, received ${shown}.`), { code });
}
