/**
 * Passes the abort of a job on to whoever waits or is under way for it, through one listener, and lends each attempt a signal of
 * its own. A signal that was not aborted serves the next attempt as well: making one for each block, and listening to the
 * job's, would cost more than all else that the gate does.
 */
export class AbortRelay {
  readonly #signal: AbortSignal | undefined;
  readonly #callbacks = new Set<() => void>();
  readonly #idle: AbortController[] = [];
  readonly #onAbort = (): void => {
    for (const callback of this.#callbacks) callback();
  };

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Has `callback` called once when the job is aborted, which it must not be already. */
  add(callback: () => void): void {
    if (this.#callbacks.size === 0) this.#signal?.addEventListener('abort', this.#onAbort);
    this.#callbacks.add(callback);
  }

  /** Takes `callback` back; with the last one, nothing listens to the job any more. */
  remove(callback: () => void): void {
    this.#callbacks.delete(callback);
    if (this.#callbacks.size === 0) this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  /** Lends a signal that nobody has aborted; to be given to {@link giveBack} when nobody listens to it any more. */
  lend(): AbortController {
    return this.#idle.pop() ?? new AbortController();
  }

  giveBack(abort: AbortController): void {
    if (!abort.signal.aborted) this.#idle.push(abort);
  }
}
