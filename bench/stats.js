/**
 * A figure over several rounds: its median, and the quartiles around it. Quartiles, for a neighbour on the machine that
 * wakes up once spoils the extremes of every run.
 * @typedef {{ median: number, low: number, high: number }} Spread
 */

/**
 * Returns median and quartiles of `samples`, of which there must be one at least.
 * @param {readonly number[]} samples
 * @returns {Spread}
 */
export function spreadOf(samples) {
  if (samples.length === 0) throw new RangeError('Expected at least one sample');
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
  };
}

/**
 * Returns how `ours` relates to `theirs`: round by round, since neighbours slow both halves of a round alike.
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs as many, of the same rounds
 * @returns {Spread}
 */
export function ratioOf(ours, theirs) {
  if (ours.length !== theirs.length) {
    throw new RangeError(
      `Expected as many rounds of both, got ${ours.length} and ${theirs.length}`,
    );
  }
  return spreadOf(ours.map((sample, round) => sample / theirs[round]));
}

/** Between two samples the value lies on the line between them. */
function quantile(sorted, share) {
  const position = (sorted.length - 1) * share;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}
