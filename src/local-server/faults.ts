import { FAULTS, type FaultName } from './hostility/fault-table.ts';
import { Refusal } from './refusal.ts';

/** An error answer to give instead of the true one. */
export interface ErrorFault {
  readonly status: number;
  /** The error type, as `RequestThrottledException`. */
  readonly type: string;
  readonly reason?: string;
  readonly message?: string;
}

/** What is to go wrong: an error answer, or a fault by its name; docs/local-service.md tells what each of them does. */
export type Fault = ErrorFault | FaultName;

/** A fault, and the requests that it is for. */
export interface FaultRule {
  /** An operation, as `PutSnapshotBlock` or EC2's `DescribeSnapshots`. Default: any. */
  readonly operation?: string;
  readonly snapshotId?: string;
  readonly blockIndex?: number;
  /** Matching requests to hit, then the rule is spent. Default 1. */
  readonly times?: number;
  readonly fault: Fault;
  /** How long a stall lasts, in milliseconds. Default: until the connection or the service is closed. */
  readonly forMs?: number;
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

  /** Whether no rule is left. */
  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /**
   * Adds a rule; see {@link FaultRule}.
   * @throws {TypeError} for a name that no fault has.
   */
  add(rule: FaultRule): void {
    if (typeof rule.fault === 'string' && !Object.hasOwn(FAULTS, rule.fault)) {
      throw new TypeError(`Expected the name of a fault, received ${JSON.stringify(rule.fault)}.`);
    }
    this.#rules.push({ rule, left: rule.times ?? 1 });
  }

  /** Returns the rule that hits a request and counts it, or undefined. */
  take(subject: FaultSubject): FaultRule | undefined {
    const at = this.#rules.findIndex(({ rule }) => matches(rule, subject));
    const entry = this.#rules[at];
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.#rules.splice(at, 1);
    return entry.rule;
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
