import { Refusal } from './refusal.ts';

/** An error answer to give instead of the true one. */
export interface ErrorFault {
  readonly status: number;
  /** The error type, as `RequestThrottledException`. */
  readonly type: string;
  readonly reason?: string;
  readonly message?: string;
}

/**
 * What is to go wrong. `reset`: the connection is reset, nothing is done. `lose-answer`: the request is carried out,
 * then the connection is reset. `stall`: no answer comes until the connection or the service is closed. `corrupt`: one
 * byte of the block is changed on the way, in either direction.
 */
export type Fault = ErrorFault | 'reset' | 'lose-answer' | 'stall' | 'corrupt';

/** A fault, and the requests that it is for. */
export interface FaultRule {
  /** An operation, as `PutSnapshotBlock` or EC2's `DescribeSnapshots`. Default: any. */
  readonly operation?: string;
  readonly snapshotId?: string;
  readonly blockIndex?: number;
  /** Matching requests to hit, then the rule is spent. Default 1. */
  readonly times?: number;
  readonly fault: Fault;
}

/** What a rule is matched with. */
export interface FaultSubject {
  readonly operation: string;
  readonly snapshotId?: string | undefined;
  readonly blockIndex?: number | undefined;
}

/** Scripted failures: rules are tried in the order in which they were added; the first that matches is used. */
export class Faults {
  readonly #rules: { rule: FaultRule; left: number }[] = [];

  /** Adds a rule; see {@link FaultRule}. */
  add(rule: FaultRule): void {
    this.#rules.push({ rule, left: rule.times ?? 1 });
  }

  /** Returns the fault for a request and counts it, or undefined. */
  take(subject: FaultSubject): Fault | undefined {
    const at = this.#rules.findIndex(({ rule }) => matches(rule, subject));
    const entry = this.#rules[at];
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.#rules.splice(at, 1);
    return entry.rule.fault;
  }

  /** Forgets every rule. */
  clear(): void {
    this.#rules.length = 0;
  }
}

/** Makes the refusal that an error fault stands for. */
export function faultRefusal(fault: ErrorFault): Refusal {
  return new Refusal(fault.message ?? `Injected ${fault.type}`, { family: 'service', ...fault });
}

function matches(rule: FaultRule, subject: FaultSubject): boolean {
  return (
    (rule.operation ?? subject.operation) === subject.operation &&
    (rule.snapshotId ?? subject.snapshotId) === subject.snapshotId &&
    (rule.blockIndex ?? subject.blockIndex) === subject.blockIndex
  );
}
