import type { Ec2Error } from './ec2-xml.ts';

/** A call of the EC2 Query API, authenticated. */
export interface Ec2Call {
  readonly region: string;
  /** `Action`, `Version` and the parameters, as in the form. */
  readonly form: URLSearchParams;
}

/** An EC2 call turned down. */
export class Ec2Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor({ status, code, message }: Ec2Error) {
    super(message);
    this.name = 'Ec2Refusal';
    this.status = status;
    this.code = code;
  }
}

/** Well formed, yet refused as malformed by the real service. */
const NEVER_ISSUED: ReadonlySet<string> = new Set([
  'snap-00000000000000000',
  'snap-0123456789abcdef0',
]);

/** Reads a list parameter: `Name.1`, `Name.2`, up to the first gap. */
export function listParameter(form: URLSearchParams, name: string): string[] {
  const values: string[] = [];
  for (;;) {
    const value = form.get(`${name}.${values.length + 1}`);
    if (value === null) return values;
    values.push(value);
  }
}

/**
 * Checks the form of a snapshot id.
 * @throws {Ec2Refusal} when the service could not have issued it.
 */
export function checkSnapshotId(snapshotId: string): void {
  if (/^snap-[0-9A-Fa-f]+$/.test(snapshotId) && /[A-F]/.test(snapshotId)) {
    throw new Ec2Refusal({
      status: 400,
      code: 'InvalidParameterValue',
      message: `Value (${snapshotId}) for parameter snapshotId is invalid. Expected: 'snap-...'.`,
    });
  }
  const isLong = /^snap-0[0-9a-f]{16}$/.test(snapshotId) && !NEVER_ISSUED.has(snapshotId);
  if (isLong || /^snap-[0-9a-f]{8}$/.test(snapshotId)) return;
  throw new Ec2Refusal({
    status: 400,
    code: 'InvalidSnapshotID.Malformed',
    message: `Invalid id: "${snapshotId}"`,
  });
}

/** The answer for an id that nobody has. */
export function ec2SnapshotNotFound(snapshotId: string): Ec2Refusal {
  return new Ec2Refusal({
    status: 400,
    code: 'InvalidSnapshot.NotFound',
    message: `The snapshot '${snapshotId}' does not exist.`,
  });
}
