import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { BLOCK_SIZE } from '../base/constants.ts';
import { blockCountCeil, blockOffset } from '../base/units.ts';
import { BlockSet } from '../engine/block-set.ts';
import { mapError, readChangedMap, type MappedRange } from './changed-map.ts';

/** Which blocks of a source have changed. Memory: two bits for each of its blocks. */
export interface ChangedBlocks {
  /** To be read: a block that a range covers in part is one of them, as a whole. */
  readonly data: BlockSet;
  /** Known to be zero, from end to end. */
  readonly zeros: BlockSet;
}

/**
 * Finds the changed blocks of a source of `sizeBytes`.
 * @param changed - the ranges, in any order, or the path or stream of a map that {@link readChangedMap} reads.
 * @throws {TypeError} ERR_INVALID_ARG_VALUE naming the first range that is malformed, overlaps another, or goes beyond the
 * last block of the source.
 */
export async function findChangedBlocks(
  changed: string | Readable | readonly MappedRange[],
  sizeBytes: number,
): Promise<ChangedBlocks> {
  const ranges = isRanges(changed) ? changed : await readChangedMap(changed);
  ranges.forEach((range, position) => checkRange(range, { position, sizeBytes }));
  const ascending = [...ranges].sort((a, b) => a.start - b.start);
  checkOverlap(ascending);
  const blockCount = blockCountCeil(sizeBytes);
  const blocks = { data: new BlockSet(blockCount), zeros: new BlockSet(blockCount) };
  const isChanged = ascending.filter(({ depth = 0 }) => depth === 0);
  for (const range of joinedZeros(isChanged)) addRange(range, blocks, sizeBytes);
  return blocks;
}

/** Array.isArray does not tell a readonly array from the rest of a union. */
function isRanges(
  changed: string | Readable | readonly MappedRange[],
): changed is readonly MappedRange[] {
  return Array.isArray(changed);
}

function checkRange(
  range: MappedRange | undefined | null,
  { position, sizeBytes }: { readonly position: number; readonly sizeBytes: number },
): void {
  const fault = faultOf(range, sizeBytes);
  if (fault === undefined) return;
  const shown = inspect(range, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
  throw mapError(`has a range that cannot be, number ${position + 1}, ${shown}: ${fault}`);
}

function faultOf(range: MappedRange | undefined | null, sizeBytes: number): string | undefined {
  const { start, length, depth, zero } = (range ?? {}) as Record<keyof MappedRange, unknown>;
  if (!isWholeNumber(start, 0)) return 'start must be a whole number of bytes, at least 0';
  if (!isWholeNumber(length, 1)) return 'length must be a whole number of bytes, at least 1';
  if (depth !== undefined && !isWholeNumber(depth, 0)) return 'depth must be a whole number';
  if (zero !== undefined && typeof zero !== 'boolean') return 'zero must be true or false';
  // Tools count in sectors or blocks, and the source may end in the midst of one.
  if (start + length > blockOffset(blockCountCeil(sizeBytes))) {
    return `it goes beyond the end of the source, ${sizeBytes} bytes`;
  }
  return undefined;
}

function isWholeNumber(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min;
}

function checkOverlap(ascending: readonly MappedRange[]): void {
  let end = 0;
  for (const { start, length } of ascending) {
    if (start < end) throw mapError(`has ranges that overlap, at byte ${start}`);
    end = start + length;
  }
}

/** Joins zeros side by side: a block may lie in two of them. */
function* joinedZeros(ascending: readonly MappedRange[]): Generator<MappedRange> {
  let zeros: MappedRange | undefined;
  for (const range of ascending) {
    const isNext = zeros !== undefined && zeros.start + zeros.length === range.start;
    if (zeros !== undefined && range.zero === true && isNext) {
      zeros = { ...zeros, length: zeros.length + range.length };
      continue;
    }
    if (zeros !== undefined) yield zeros;
    zeros = range.zero === true ? range : undefined;
    if (range.zero !== true) yield range;
  }
  if (zeros !== undefined) yield zeros;
}

function addRange(
  { start, length, zero = false }: MappedRange,
  { data, zeros }: ChangedBlocks,
  sizeBytes: number,
): void {
  const end = start + length;
  const endBlock = blockCountCeil(end);
  for (let index = Math.floor(start / BLOCK_SIZE); index < endBlock; index += 1) {
    const isWhole =
      start <= blockOffset(index) && end >= Math.min(blockOffset(index + 1), sizeBytes);
    (zero && isWhole ? zeros : data).add(index);
  }
}
