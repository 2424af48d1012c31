import { abortable } from '../base/abortable.ts';

/** The call that asks, and what resolves when it has its answer. */
interface Asking {
  readonly call: object;
  readonly answered: Promise<void>;
  readonly tell: () => void;
}

/**
 * While a new snapshot is not yet known everywhere, one of the calls that were refused for it asks again, and the
 * others wait for what it finds: a window of requests that are all refused would find out nothing more.
 */
export class VisibilityProbe {
  #asking: Asking | undefined;

  /**
   * Waits until a refused call may be repeated: the first for its `pause`, the others until the first has succeeded.
   * @throws AbortError as soon as the signal aborts.
   */
  wait(call: object, pause: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    this.#asking ??= startAsking(call);
    return this.#asking.call === call ? pause() : abortable(this.#asking.answered, signal);
  }

  /** Says that a call has ended. If it was the one that asked, the others go on. */
  ended(call: object): void {
    if (this.#asking?.call !== call) return;
    this.#asking.tell();
    this.#asking = undefined;
  }
}

function startAsking(call: object): Asking {
  let tell!: () => void;
  const answered = new Promise<void>((resolve) => (tell = resolve));
  return { call, answered, tell };
}
