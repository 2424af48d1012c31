/** A time that is written as the service writes it: a JSON number of seconds in exponent form. */
export class EpochTime {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}

/** What a JSON answer is made of. Absent values are written as null, so there is no undefined. */
export type WireValue =
  string | number | boolean | null | EpochTime | readonly WireValue[] | WireObject;

/** A JSON object; its keys are written in alphabetical order. */
export interface WireObject {
  readonly [key: string]: WireValue;
}

/** Writes `value` as the service does: keys sorted, no spaces, times as in {@link formatEpoch}. */
export function toWireJson(value: WireValue): string {
  if (value instanceof EpochTime) return formatEpoch(value.ms);
  if (Array.isArray(value)) {
    return `[${(value as readonly WireValue[]).map(toWireJson).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const object = value as WireObject;
    const members = Object.keys(object)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${toWireJson(object[key] ?? null)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/**
 * Writes epoch milliseconds as seconds in exponent form with trailing zeros dropped: 1790337440570 becomes
 * `1.79033744057E9`.
 */
export function formatEpoch(ms: number): string {
  const digits = String(Math.max(0, Math.floor(ms)));
  const fraction = digits.slice(1).replace(/0+$/, '');
  return `${digits.charAt(0)}.${fraction === '' ? '0' : fraction}E${digits.length - 4}`;
}
