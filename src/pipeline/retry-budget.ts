import type { Outcome } from './window.ts';

const TOKENS_MAX = 200;
const SUCCESS_TOKENS = 0.5;
/** Requests in flight while nothing works: enough to see when it works again. */
const TRICKLE = 2;
const OPEN_ABOVE = 512;

/**
 * A circuit breaker on the number of requests in flight. Failures below one third of all never trip it; a total outage
 * does within a round or two, and the first successes let it open again. It never fails a job. The back-off does most
 * of this already: in scenario '5xx burst' the budget saves 2 % of the failing requests.
 */
export class RetryBudget {
  #tokens = TOKENS_MAX;
  #limit = Infinity;

  /** Requests that may be in flight; Infinity while the budget lasts. */
  get limit(): number {
    return this.#limit;
  }

  /** Takes the end of an attempt. Refusals by a quota, cancelled and final ones say nothing of health. */
  ended(outcome: Outcome): void {
    if (outcome === 'ok') this.#succeeded();
    const isFailure =
      outcome === 'server-error' ||
      outcome === 'bad-read' ||
      outcome === 'reset' ||
      outcome === 'timeout';
    if (!isFailure) return;
    this.#tokens = Math.max(0, this.#tokens - 1);
    if (this.#tokens === 0) this.#limit = TRICKLE;
  }

  #succeeded(): void {
    this.#tokens = Math.min(TOKENS_MAX, this.#tokens + SUCCESS_TOKENS);
    if (this.#limit === Infinity) return;
    this.#limit = this.#limit * 1.25 + 1;
    if (this.#limit <= OPEN_ABOVE) return;
    this.#limit = Infinity;
  }
}
