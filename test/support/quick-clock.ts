import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../src/base/clock.ts';

/** A clock that goes faster than the machine's, so that minutes of waiting pass in a second beside real requests. */
export class QuickClock implements Clock {
  readonly #speed: number;

  constructor(speed: number) {
    this.#speed = speed;
  }

  now(): number {
    return performance.now() * this.#speed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return delay(ms / this.#speed, undefined, signal === undefined ? {} : { signal });
  }
}
