/**
 * What SIGUSR1 asks for while a command runs. The listener takes the place of Node's own, which would open its
 * inspector, and stays to the end of the process: without any, the signal would end it.
 */
export class StateSignal {
  #answer: (() => void) | undefined;

  constructor() {
    process.on('SIGUSR1', () => this.#answer?.());
  }

  /** Says how to answer from now on; undefined: not at all. */
  answerWith(answer: (() => void) | undefined): void {
    this.#answer = answer;
  }
}
