import type { Outcome } from './window.ts';

/** Weight of one ended attempt in the running share of errors. */
const WEIGHT = 1 / 64;
/** Share of errors above which the path is taken to be overloaded; a reset now and then, even two in a hundred, is not. */
const SHARE_MAX = 0.15;

/**
 * Tells when resets and cut bodies have become so many that they are the path's answer to too much in flight.
 * While every body is cut there is no latency to judge by (96 % without, in scenario 'cliff where slow bodies are
 * refused'). A lone straggler that was cancelled, a 5xx or a refusal by a quota says nothing of the path.
 */
export class PathErrors {
  #share = 0;
  #shrunkAtMs = -Infinity;

  /** Takes the end of an attempt; true at most once per `intervalMs`: the window must shrink. */
  shrinks(outcome: Outcome, intervalMs: number, nowMs: number): boolean {
    if (outcome === 'ok') this.#share -= this.#share * WEIGHT;
    if (outcome !== 'bad-read' && outcome !== 'reset') return false;
    this.#share += (1 - this.#share) * WEIGHT;
    if (this.#share <= SHARE_MAX || nowMs < this.#shrunkAtMs + intervalMs) return false;
    this.#shrunkAtMs = nowMs;
    return true;
  }
}
