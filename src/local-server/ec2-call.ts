import type { XmlError } from './ec2-xml.ts';

/** Parameters of a Query API call by name. */
export type Form = ReadonlyMap<string, string>;

/** A call of the EC2 Query API, authenticated. */
export interface Ec2Call {
  readonly region: string;
  /** `Action`, `Version` and the parameters, as in the form. */
  readonly form: Form;
}

/** An EC2 call turned down. */
export class Ec2Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor({ status, code, message }: XmlError) {
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

/** The answer to a wrong parameter: 400 with one of EC2's codes. */
export function ec2Refusal(code: string, message: string): Ec2Refusal {
  return new Ec2Refusal({ status: 400, code, message });
}

/** Reads a list parameter: `Name.1`, `Name.2`, up to the first gap. */
export function listParameter(form: Form, name: string): string[] {
  const values: string[] = [];
  for (;;) {
    const value = form.get(`${name}.${values.length + 1}`);
    if (value === undefined) return values;
    values.push(value);
  }
}

/**
 * Reads a list parameter that must have an entry.
 * @throws {Ec2Refusal} MissingParameter.
 */
export function requiredList(form: Form, name: string): string[] {
  const values = listParameter(form, name);
  if (values.length === 0) throw missingParameter(name);
  return values;
}

/**
 * Reads a parameter that must be there.
 * @throws {Ec2Refusal} MissingParameter.
 */
export function requiredParameter(form: Form, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw missingParameter(name);
  return value;
}

/**
 * Checks the form of a snapshot id.
 * @throws {Ec2Refusal} when the service could not have issued it.
 */
export function checkSnapshotId(snapshotId: string): void {
  if (/^snap-[0-9A-Fa-f]+$/.test(snapshotId) && /[A-F]/.test(snapshotId)) {
    throw ec2Refusal(
      'InvalidParameterValue',
      `Value (${snapshotId}) for parameter snapshotId is invalid. Expected: 'snap-...'.`,
    );
  }
  const isLong = /^snap-0[0-9a-f]{16}$/.test(snapshotId) && !NEVER_ISSUED.has(snapshotId);
  if (isLong || /^snap-[0-9a-f]{8}$/.test(snapshotId)) return;
  throw ec2Refusal('InvalidSnapshotID.Malformed', `Invalid id: "${snapshotId}"`);
}

/** The answer for an id that nobody has. */
export function ec2SnapshotNotFound(snapshotId: string): Ec2Refusal {
  return ec2Refusal('InvalidSnapshot.NotFound', `The snapshot '${snapshotId}' does not exist.`);
}

function missingParameter(name: string): Ec2Refusal {
  return ec2Refusal('MissingParameter', `The request must contain the parameter ${name}`);
}
