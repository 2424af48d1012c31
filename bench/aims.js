import { ratioOf } from './stats.js';

/**
 * What ours has to reach beside another contender: a ratio of medians round by round, at most or at least so much.
 * @typedef {{ figure: string, versus: string, atMost?: number, atLeast?: number }} Aim
 *
 * How it does.
 * @typedef {Aim & { ratio: import('./stats.js').Spread, isReached: boolean }} Verdict
 */

/**
 * Judges the first contender of a comparison, ours.
 * @param {import('./harness.js').Comparison} comparison
 * @param {readonly Aim[]} aims
 * @returns {Verdict[]}
 */
export function judge({ contenders }, aims) {
  const [ours] = contenders;
  return aims.map((aim) => {
    const { figure, versus, atMost = Infinity, atLeast = 0 } = aim;
    const other = contenders.find(({ name }) => name === versus);
    const ratio = ratioOf(ours.figures[figure], other.figures[figure]);
    return { ...aim, ratio, isReached: ratio.median <= atMost && ratio.median >= atLeast };
  });
}

/**
 * Tells a verdict in a line.
 * @param {Verdict} verdict
 * @returns {string}
 */
export function drawVerdict({ figure, versus, atMost, atLeast, ratio, isReached }) {
  const bound = atMost === undefined ? `at least ${round(atLeast)}` : `at most ${round(atMost)}`;
  const outcome = isReached ? 'reached' : 'missed';
  return `${figure}, ${bound} of ${versus}: ${round(ratio.median)}, ${outcome}`;
}

function round(ratio) {
  return ratio.toFixed(2);
}
