import type { Draw } from './seeded-draw.ts';

/** A share of the values that is far larger than the rest: Pareto, at least `minMs`. */
export interface HeavyTail {
  /** Share of the values that come from the tail, 0 to 1. */
  readonly probability: number;
  readonly minMs: number;
  /** The smaller, the heavier; the mean is infinite up to 1. */
  readonly alpha: number;
  /** No value is above. */
  readonly maxMs?: number;
}

/** The bulk of a distribution: between two values, or log-normal around a median. */
export type Bulk =
  | { readonly minMs: number; readonly maxMs: number }
  | { readonly medianMs: number; readonly sigma: number };

/** A distribution of durations: a number is that many milliseconds each time. */
export type Distribution = number | (Bulk & { readonly tail?: HeavyTail });

/** Draws one duration, milliseconds. */
export function sample(distribution: Distribution, draw: Draw): number {
  if (typeof distribution === 'number') return distribution;
  const { tail } = distribution;
  if (tail !== undefined && draw('tail') < tail.probability) return samplePareto(tail, draw);
  const chance = draw('bulk');
  if ('minMs' in distribution) {
    return distribution.minMs + chance * (distribution.maxMs - distribution.minMs);
  }
  return distribution.medianMs * Math.exp(distribution.sigma * standardNormal(draw));
}

function samplePareto({ minMs, alpha, maxMs = Infinity }: HeavyTail, draw: Draw): number {
  return Math.min(maxMs, minMs * (1 - draw('tail-length')) ** (-1 / alpha));
}

/** Box and Muller. */
function standardNormal(draw: Draw): number {
  return Math.sqrt(-2 * Math.log(1 - draw('radius'))) * Math.cos(2 * Math.PI * draw('angle'));
}
