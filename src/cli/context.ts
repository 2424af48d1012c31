import type { StateSignal } from './state-signal.ts';
import type { StopSignals } from './stop-signals.ts';
import type { Output } from './output.ts';

/** What a command gets beside its arguments and flags. */
export interface Context {
  /** As it was typed, the program's name excluded. */
  readonly commandLine: readonly string[];
  readonly output: Output;
  readonly stop: StopSignals;
  readonly stateSignal: StateSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}
