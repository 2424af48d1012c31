import { constraintError, frameworkError } from './refusal.ts';

/**
 * Collects broken model constraints of one request, then raises them all in one error. Members are named in lower
 * camel case, as the service prints them.
 */
export class Constraints {
  readonly #violations: string[] = [];

  /** Demands that a required member was sent. Returns whether it was. */
  required(member: string, value: unknown): boolean {
    if (value !== undefined && value !== null) return true;
    this.#violations.push(
      `Value null at '${member}' failed to satisfy constraint: Member must not be null`,
    );
    return false;
  }

  /** Demands a number within bounds. */
  range(member: string, value: number | undefined, bounds: { min?: number; max?: number }): void {
    if (value === undefined) return;
    if (bounds.min !== undefined && value < bounds.min) {
      this.#add(member, value, `Member must have value greater than or equal to ${bounds.min}`);
    }
    if (bounds.max !== undefined && value > bounds.max) {
      this.#add(member, value, `Member must have value less than or equal to ${bounds.max}`);
    }
  }

  /** Demands a text of at most `maxLength` characters that matches `pattern`. */
  text(
    member: string,
    value: string | undefined,
    rule: { maxLength?: number; pattern?: string },
  ): void {
    if (value === undefined) return;
    if (rule.maxLength !== undefined && value.length > rule.maxLength) {
      this.#add(member, value, `Member must have length less than or equal to ${rule.maxLength}`);
    }
    if (rule.pattern !== undefined && !wholeMatch(rule.pattern).test(value)) {
      this.#add(member, value, `Member must satisfy regular expression pattern: ${rule.pattern}`);
    }
  }

  /** Demands one of a set of names. */
  oneOf(member: string, value: string | undefined, names: readonly string[]): void {
    if (value === undefined || names.includes(value)) return;
    this.#add(member, value, `Member must satisfy enum value set: [${names.join(', ')}]`);
  }

  /** Demands a list of at most `maxLength` entries. */
  listLength(member: string, value: readonly unknown[] | undefined, maxLength: number): void {
    if (value === undefined || value.length <= maxLength) return;
    this.#add(
      member,
      JSON.stringify(value),
      `Member must have length less than or equal to ${maxLength}`,
    );
  }

  /**
   * Ends the collection.
   * @throws {Refusal} when anything was broken.
   */
  check(): void {
    if (this.#violations.length > 0) throw constraintError(this.#violations);
  }

  #add(member: string, value: string | number, rule: string): void {
    this.#violations.push(`Value '${value}' at '${member}' failed to satisfy constraint: ${rule}`);
  }
}

const compiled = new Map<string, RegExp>();

/** The service matches a pattern against the whole value, whether or not it is anchored. */
function wholeMatch(pattern: string): RegExp {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    expression = new RegExp(`^(?:${pattern})$`);
    compiled.set(pattern, expression);
  }
  return expression;
}

/**
 * Reads an integer of a path, query or header; undefined stays undefined.
 * @throws {Refusal} SerializationException when the text is no integer.
 */
export function parseInteger(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) {
    throw serializationError(`'${text.slice(0, 64)}' can not be converted to an Integer`);
  }
  return Number(text);
}

/** The request could not be read into the members of the operation. */
export function serializationError(message: string): Error {
  return frameworkError(400, 'SerializationException', message);
}
