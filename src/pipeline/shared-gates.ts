import type { Gate } from './gate.ts';
import type { LineOptions, WaitingLine } from './waiting-line.ts';

/** A job's place at a gate. */
export interface GatePass {
  readonly gate: Gate;
  readonly line: WaitingLine;
  /** Gives the place up; to be called once, when none of the job's attempts wait any more. */
  leave(): void;
}

/**
 * The gates of a process: jobs that share a path and its quotas share a gate, and with it what has been learned. A
 * gate goes with its last job, so that nothing stale is kept.
 */
export class SharedGates {
  readonly #gates = new Map<string, Gate>();

  /** Lets a job join the gate of `key`, which is made when there is none yet. */
  join(key: string, options: LineOptions, make: () => Gate): GatePass {
    let gate = this.#gates.get(key);
    if (gate === undefined) this.#gates.set(key, (gate = make()));
    const shared = gate;
    const line = shared.join(options);
    return {
      gate: shared,
      line,
      leave: () => {
        shared.leave(line);
        if (shared.isDeserted) this.#gates.delete(key);
      },
    };
  }
}
