import { ec2Refusal, type Form } from './ec2-call.ts';

/** MaxResults by the API reference of DescribeSnapshots: from 5; more than 1,000 counts as 1,000. */
const MAX_RESULTS = { min: 5, max: 1000 };

/** One page of a list, and what asks for the next. */
export interface Ec2Page<T> {
  readonly page: readonly T[];
  readonly nextToken?: string;
}

/**
 * Cuts the page that MaxResults and NextToken ask for; without MaxResults it is all that is left.
 * @param keyOf - a text by which the items ascend, no two alike.
 * @throws {Ec2Refusal} InvalidParameterValue, InvalidNextToken.
 */
export function cutPage<T>(
  form: Form,
  items: readonly T[],
  keyOf: (item: T) => string,
): Ec2Page<T> {
  const after = readToken(form.get('NextToken'));
  const rest = after === undefined ? items : items.filter((item) => keyOf(item) > after);
  const page = rest.slice(0, readMaxResults(form.get('MaxResults')));
  const last = page.at(-1);
  if (last === undefined || page.length === rest.length) return { page };
  return { page, nextToken: Buffer.from(keyOf(last)).toString('base64url') };
}

function readMaxResults(text: string | undefined): number {
  if (text === undefined) return Infinity;
  const { min, max } = MAX_RESULTS;
  if (!/^\d{1,9}$/.test(text)) {
    throw ec2Refusal(
      'InvalidParameterValue',
      `Value ( ${text} ) for parameter maxResults is invalid.`,
    );
  }
  if (Number(text) < min) {
    throw ec2Refusal(
      'InvalidParameterValue',
      `Value ( ${text} ) for parameter maxResults is invalid. Expecting a value greater than ${min}.`,
    );
  }
  return Math.min(Number(text), max);
}

function readToken(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') === text && bytes.length > 0) return bytes.toString();
  throw ec2Refusal('InvalidNextToken', 'The specified NextToken is not valid.');
}
