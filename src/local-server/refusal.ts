import { ERROR_NAMESPACE } from './wire-table.ts';

/** Which layer of the service refuses; decides header URI, key case and whether a Reason is written. */
export type RefusalFamily = keyof typeof ERROR_NAMESPACE;

/** What a refusal says on the wire. */
export interface RefusalFields {
  readonly family: RefusalFamily;
  readonly status: number;
  /** The error type, as `ValidationException`. */
  readonly type: string;
  readonly reason?: string | undefined;
}

/** A request turned down: thrown by the operations, written as an error answer by the listener. */
export class Refusal extends Error {
  readonly family: RefusalFamily;
  readonly status: number;
  readonly type: string;
  readonly reason: string | undefined;

  constructor(message: string, fields: RefusalFields) {
    super(message);
    this.name = 'Refusal';
    this.family = fields.family;
    this.status = fields.status;
    this.type = fields.type;
    this.reason = fields.reason;
  }
}

/** A business rule was broken: 400 ValidationException with a Reason. */
export function invalid(reason: string, message: string): Refusal {
  return new Refusal(message, {
    family: 'service',
    status: 400,
    type: 'ValidationException',
    reason,
  });
}

/** A combination or value of parameters is not allowed. */
export function invalidParameter(message: string): Refusal {
  return invalid('INVALID_PARAMETER_VALUE', message);
}

/** The snapshot is unknown here, not visible yet, deleted or in error. */
export function snapshotNotFound(snapshotId: string): Refusal {
  return notFound(`The snapshot '${snapshotId}' does not exist.`);
}

/** 404 with SNAPSHOT_NOT_FOUND and a text of its own. */
export function notFound(message: string): Refusal {
  return new Refusal(message, {
    family: 'service',
    status: 404,
    type: 'ResourceNotFoundException',
    reason: 'SNAPSHOT_NOT_FOUND',
  });
}

/** A ClientToken was used before with other parameters. A 409 carries no Reason. */
export function conflict(): Refusal {
  return new Refusal('Current request does not match request stored with this token.', {
    family: 'service',
    status: 409,
    type: 'ConflictException',
  });
}

/** The account has as many pending snapshots as it may. The text of the real service is not known. */
export function tooManyPending(limit: number): Refusal {
  return new Refusal(`You have reached the limit of ${limit} pending snapshots.`, {
    family: 'service',
    status: 400,
    type: 'ConcurrentLimitExceededException',
  });
}

/** Something went wrong on this side. */
export function internalError(message: string): Refusal {
  return new Refusal(message, {
    family: 'service',
    status: 500,
    type: 'InternalServerException',
  });
}

/** An error of the layer below the service: signatures, serialisation, unknown paths. */
export function frameworkError(status: number, type: string, message: string): Refusal {
  return new Refusal(message, { family: 'framework', status, type });
}

/** Model constraints were broken; `violations` are `Value ... Member must ...` clauses. */
export function constraintError(violations: readonly string[]): Refusal {
  const count = violations.length;
  return new Refusal(
    `${count} validation error${count === 1 ? '' : 's'} detected: ${violations.join('; ')}`,
    { family: 'constraint', status: 400, type: 'ValidationException' },
  );
}
