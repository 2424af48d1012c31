import type { Window, WindowAttempt } from '../../src/pipeline/window.ts';

const UNOBSERVED: WindowAttempt = {
  onSocket: () => undefined,
  onFirstByte: () => undefined,
  onFlushed: () => undefined,
  end: () => undefined,
};

/** A window that never moves. */
export class FixedWindow implements Window {
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  start(): WindowAttempt {
    return UNOBSERVED;
  }
}
