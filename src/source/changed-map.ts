import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { systemReason } from '../base/system-reason.ts';

/** A range of bytes of a source, in the vocabulary of `qemu-img map --output=json`. Other members mean nothing here. */
export interface MappedRange {
  /** Bytes from the start of the source, at least 0. */
  readonly start: number;
  /** Bytes, at least 1. */
  readonly length: number;
  /** Above 0: what a backing file holds, which has not changed. Default 0. */
  readonly depth?: number;
  /** Whether it reads as zeros; then it need not be read. Default false. */
  readonly zero?: boolean;
}

/** Makes the error of a map that cannot be: `changed` is the option's name. */
export function mapError(fault: string, cause?: unknown): TypeError {
  const error = new TypeError(`changed ${fault}`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
}

/**
 * Reads a map of changed ranges: a JSON array, as `qemu-img map --output=json` prints it, or one object a line, as `diff
 * --json` does. Of such lines those with a `start` count, and one of type `end` must be the last: without it the list was cut off.
 * @throws {TypeError} ERR_INVALID_ARG_VALUE, also for a file or stream that cannot be read.
 */
export async function readChangedMap(map: string | Readable): Promise<readonly MappedRange[]> {
  const name = typeof map === 'string' ? `"${map}"` : 'the stream';
  const reading = typeof map === 'string' ? readFile(map, 'utf8') : text(map);
  const json = await reading.catch((error: unknown) => {
    throw mapError(`cannot be read from ${name}: ${systemReason(error)}`, error);
  });
  const whole = parse(json);
  if (Array.isArray(whole)) return whole as readonly MappedRange[];
  const lines = json.split('\n').filter((line) => line.trim() !== '');
  const objects = lines.map(parse);
  const isLines = objects.every((value) => typeof value === 'object' && value !== null);
  if (!isLines || objects.length === 0) {
    throw mapError(`must be a JSON array of ranges, or one JSON object a line; ${name} is not`);
  }
  return rangesOf(objects, name);
}

/** A line of `diff --json`. */
interface Line extends Partial<MappedRange> {
  readonly type?: unknown;
}

function rangesOf(lines: readonly Line[], name: string): readonly MappedRange[] {
  const hasTypes = lines.some(({ type }) => type !== undefined);
  if (hasTypes && lines.at(-1)?.type !== 'end') {
    throw mapError(`must be whole; ${name} was cut off before its line of type "end"`);
  }
  return lines.filter(
    ({ type, start }) => type === undefined || start !== undefined,
  ) as readonly MappedRange[];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
