import { readFileSync } from 'node:fs';
import type { Flag, Tag } from './command-table.ts';
import { UsageError } from './usage-error.ts';

const SUFFIX_POWER = { '': 0, K: 1, M: 2, G: 3, T: 4 } as const;
const PORT_MAX = 65_535;

/**
 * Turns the text of a flag into its value. Only the form is judged here; which values are allowed is the library's
 * business.
 * @param previous - the tags before this one, for a flag that may be repeated.
 * @throws {UsageError} naming the flag and the text.
 */
export function parseValue(flag: Flag, text: string, previous?: unknown): unknown {
  switch (flag.kind) {
    case 'number':
      return parseNumber(flag, text);
    case 'size':
      return parseSize(flag, text);
    case 'rate':
      return parseRate(flag, text);
    case 'port':
      return parsePort(flag, text);
    case 'url':
      return parseUrl(flag, text);
    case 'json':
      return parseJson(flag, text);
    case 'range':
      return parseRange(flag, text);
    case 'files':
      return [...((previous ?? []) as readonly string[]), text];
    case 'tag':
      return [...((previous ?? []) as readonly Tag[]), parseTag(flag, text)];
    default:
      return parseText(flag, text);
  }
}

function parseNumber(flag: Flag, text: string): number {
  if (!/^-?\d+(\.\d+)?$/.test(text)) throw unfit(flag, 'a number', text);
  return Number(text);
}

function parseSize(flag: Flag, text: string, size = text): number {
  const [, digits, suffix = ''] = /^(-?\d+(?:\.\d+)?)([KMGT]?)$/i.exec(size) ?? [];
  if (digits === undefined) throw unfit(flag, 'a number with K, M, G, T or nothing after it', text);
  return Number(digits) * 1024 ** SUFFIX_POWER[suffix.toUpperCase() as keyof typeof SUFFIX_POWER];
}

/** A size, whether its user writes "a second" behind it or not. */
function parseRate(flag: Flag, text: string): number {
  return parseSize(flag, text, text.replace(/\/s$/, ''));
}

function parsePort(flag: Flag, text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(port <= PORT_MAX)) throw unfit(flag, `a port between 0 and ${PORT_MAX}`, text);
  return port;
}

/** As in HTTP and in Slurm's arrays, LAST is in it; the library's `endBlock` is the block behind. */
function parseRange(flag: Flag, text: string): { firstBlock?: number; endBlock?: number } {
  const [, first, last] = /^(\d*):(\d*)$/.exec(text) ?? [];
  if (first === undefined || last === undefined)
    throw unfit(flag, 'FIRST:LAST, two block indices', text);
  if (first !== '' && last !== '' && Number(first) > Number(last)) {
    throw unfit(flag, 'FIRST:LAST, with FIRST not above LAST', text);
  }
  return {
    ...(first === '' ? {} : { firstBlock: Number(first) }),
    ...(last === '' ? {} : { endBlock: Number(last) + 1 }),
  };
}

function parseUrl(flag: Flag, text: string): string {
  const isHttp = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
  if (!isHttp) throw unfit(flag, 'a URL such as http://127.0.0.1:8733', text);
  return text;
}

function parseJson(flag: Flag, text: string): unknown {
  try {
    return JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  } catch (error) {
    throw new UsageError(`--${flag.name} must be JSON or @FILE with JSON; received '${text}'`, {
      cause: error,
    });
  }
}

function parseTag(flag: Flag, text: string): Tag {
  const equals = text.indexOf('=');
  if (equals === -1) throw unfit(flag, 'KEY=VALUE', text);
  return { Key: text.slice(0, equals), Value: text.slice(equals + 1) };
}

function parseText(flag: Flag, text: string): string {
  if (flag.choices !== undefined && !flag.choices.includes(text)) {
    throw unfit(flag, flag.choices.join(' or '), text);
  }
  return text;
}

function unfit(flag: Flag, expected: string, text: string): UsageError {
  return new UsageError(`--${flag.name} must be ${expected}; received '${text}'`);
}
