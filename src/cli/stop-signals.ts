import { SIGNAL_EXIT, type StopSignal } from './exit-codes.ts';

/** What SIGINT and SIGTERM do while a command runs. */
export interface StopSignals {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** The signal that came, if one did. */
  readonly received: StopSignal | undefined;
  /** Gives the signals back to Node. */
  release(): void;
}

/** Turns the first SIGINT or SIGTERM into an abort; the second ends the process at once. */
export function catchStopSignals(onFirst: (signal: StopSignal) => void): StopSignals {
  const controller = new AbortController();
  let received: StopSignal | undefined;
  const onSignal = (name: StopSignal): void => {
    if (received !== undefined) process.exit(SIGNAL_EXIT[name]);
    received = name;
    onFirst(name);
    controller.abort(new Error(`stopped by ${name}`));
  };
  const names = Object.keys(SIGNAL_EXIT) as StopSignal[];
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    get received() {
      return received;
    },
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
