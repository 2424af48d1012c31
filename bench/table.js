import { drawVerdict } from './aims.js';
import { ratioOf, spreadOf } from './stats.js';

/** @typedef {import('./harness.js').Comparison} Comparison */

/**
 * Draws a comparison: for each figure a table with a row for each contender that has it, with its median, its quartiles,
 * and how the first contender, ours, relates to it; then the aims.
 * @param {Comparison} comparison
 * @returns {string}
 */
export function drawComparison({ title, contenders, aims = [] }) {
  const [ours] = contenders;
  const rows = Object.keys(ours.figures).flatMap((figureName) => [
    ['', figureName, 'median', 'quartiles', 'ours / it'],
    ...contenders
      .filter(({ figures }) => figures[figureName] !== undefined)
      .map(({ role, name, figures }) => [
        role,
        name,
        ...figureCells(ours.figures[figureName], figures[figureName]),
      ]),
  ]);
  const verdicts = aims.map((verdict) => `  ${drawVerdict(verdict)}\n`);
  return `${title}\n${drawRows(rows)}\n${verdicts.join('')}`;
}

function figureCells(ours, samples) {
  const { median, low, high } = spreadOf(samples);
  const cells = [round(median), `${round(low)}..${round(high)}`];
  return [...cells, samples === ours ? '' : drawRatio(ratioOf(ours, samples))];
}

function drawRatio({ median, low, high }) {
  return `${ratioText(median)} (${ratioText(low)}..${ratioText(high)})`;
}

function ratioText(ratio) {
  return ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(2);
}

/** Three significant digits; no benchmark on a shared machine knows more. */
function round(number) {
  return Math.abs(number) >= 100 ? number.toFixed(0) : number.toPrecision(3);
}

/** Text to the left in the first two columns, numbers to the right in the others. */
function drawRows(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const drawCell = (text, column) =>
    column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column]);
  return rows.map((row) => `  ${row.map(drawCell).join('  ')}`.trimEnd()).join('\n');
}
