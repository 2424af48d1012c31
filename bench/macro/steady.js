import { BLOCK_SIZE } from '../../dist/base/constants.js';

/**
 * A part of a run in which the law has found its rate; epoch milliseconds.
 * @typedef {{ fromMs: number, toMs: number, attainable: number }} Span
 *
 * What the witness tells of a request, src/local-server/history.ts.
 * @typedef {import('../../dist/local.js').RequestRecord} RequestRecord
 */

/** Share of a rate that counts as reached. */
const NEARLY = 0.9;
/** A rate is that of a second, or of as many blocks where those take longer. */
const RATE_SECONDS_MIN = 1;
const RATE_BLOCKS_MIN = 10;
const THROTTLES = new Set(['RequestThrottledException', 'ThrottlingException']);

/**
 * Returns the blocks delivered in the spans: those acknowledged, and what had come of those on their way when the run
 * ended. One that was under way at a border counts for the part of its time that lies inside: else a thin path, of which
 * few blocks come out, could not be told to one per cent.
 * @param {RequestRecord[]} puts
 * @param {Span[]} spans
 * @returns {number}
 */
export function blocksIn(puts, spans) {
  const steadyEndMs = Math.max(...spans.map(({ toMs }) => toMs));
  let blocks = 0;
  for (const put of puts) {
    const { startedAtMs, endedAtMs } = put;
    const delivered = deliveredOf(put, steadyEndMs);
    for (const { fromMs, toMs } of delivered === 0 ? [] : spans) {
      const overlapMs = Math.min(toMs, endedAtMs) - Math.max(fromMs, startedAtMs);
      if (overlapMs > 0) blocks += (delivered * overlapMs) / (endedAtMs - startedAtMs);
    }
  }
  return blocks;
}

/** The part of a block that has arrived for good. A whole body without an answer may have stalled, and counts for nothing. */
function deliveredOf({ status, endedAtMs, bodyBytesIn = 0 }, steadyEndMs) {
  if (status === 201) return 1;
  const isCut = status === 0 && endedAtMs >= steadyEndMs && bodyBytesIn < BLOCK_SIZE;
  return isCut ? bodyBytesIn / BLOCK_SIZE : 0;
}

/**
 * Returns the blocks that could have been acknowledged in the spans.
 * @param {Span[]} spans
 * @returns {number}
 */
export function attainableIn(spans) {
  return (
    spans.reduce((sum, { fromMs, toMs, attainable }) => sum + attainable * (toMs - fromMs), 0) / 1e3
  );
}

/**
 * Returns the share of the requests sent in the spans that a quota refused.
 * @param {RequestRecord[]} puts
 * @param {Span[]} spans
 * @returns {number}
 */
export function throttledShare(puts, spans) {
  const sent = puts.filter(({ startedAtMs }) =>
    spans.some(({ fromMs, toMs }) => startedAtMs >= fromMs && startedAtMs < toMs),
  );
  const throttled = sent.filter(({ errorType }) => THROTTLES.has(errorType));
  return sent.length === 0 ? 0 : throttled.length / sent.length;
}

/**
 * Returns Jain's index of fairness: 1 when all have the same, 1/n when one has everything.
 * @param {number[]} shares
 * @returns {number}
 */
export function jain(shares) {
  const sum = shares.reduce((a, b) => a + b, 0);
  const squares = shares.reduce((a, b) => a + b * b, 0);
  return squares === 0 ? 0 : sum ** 2 / (shares.length * squares);
}

/**
 * Returns from when on a rate of 90 % was kept up for a second, in seconds since the start; NaN if never.
 * @param {{ atMs: number, blocks: number }[]} samples blocks acknowledged so far
 * @param {number} attainable blocks a second
 * @returns {number}
 */
export function secondsToRate(samples, attainable) {
  const seconds = Math.max(RATE_SECONDS_MIN, RATE_BLOCKS_MIN / attainable);
  let next = 0;
  for (const { atMs, blocks } of samples) {
    while (next < samples.length && samples[next].atMs < atMs + 1e3 * seconds) next += 1;
    if (next === samples.length) return NaN;
    const passed = (samples[next].atMs - atMs) / 1e3;
    if (samples[next].blocks - blocks >= NEARLY * attainable * passed) return atMs / 1e3;
  }
  return NaN;
}
