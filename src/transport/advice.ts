import { isSignatureRefusal, isTimeRefusal, type ErrorAnswer } from './error-answer.ts';

/** A kind of refusal, and what its reader can do. */
interface Remedy {
  readonly fits: (answer: ErrorAnswer) => boolean;
  readonly advice: (answer: ErrorAnswer) => string;
}

const typed =
  (types: RegExp) =>
  ({ serviceCode }: ErrorAnswer): boolean =>
    types.test(serviceCode);

/** The first that fits speaks. What heals by itself has no entry. */
const REMEDIES: readonly Remedy[] = [
  {
    // KMS refuses in three forms, of which one alone is an access error.
    fits: ({ reason = '', serviceMessage }) =>
      /^(INVALID_CUSTOMER_KEY|DEPENDENCY_ACCESS_DENIED)$/.test(reason) ||
      /kms/i.test(serviceMessage),
    advice: () =>
      'check that the KMS key exists in this region, is enabled, and lets these credentials use it ' +
      '(kms:DescribeKey, kms:GenerateDataKey, kms:Decrypt, kms:ReEncrypt*)',
  },
  {
    fits: typed(/^(AccessDenied|UnauthorizedOperation)/),
    advice: (answer) => `allow ${permissionOf(answer)} in the IAM policies of these credentials`,
  },
  {
    fits: typed(/^ExpiredToken/),
    advice: () => 'sign in again, or give credentials that have not expired',
  },
  {
    fits: typed(/^(UnrecognizedClient|InvalidClientTokenId|AuthFailure)/),
    advice: () =>
      'check that access key, secret and session token belong together and have not been revoked',
  },
  {
    fits: typed(/^(MissingAuthentication|IncompleteSignature)/),
    advice: () => 'check that nothing on the way to the endpoint changes the Authorization header',
  },
  { fits: typed(/^OptInRequired/), advice: () => 'enable the region for this account' },
  { fits: isTimeRefusal, advice: () => "set this machine's clock" },
  {
    fits: (answer) => isSignatureRefusal(answer) && /x-amz-checksum/i.test(answer.serviceMessage),
    advice: () => 'try again, and check memory and network if it comes back',
  },
  {
    fits: isSignatureRefusal,
    advice: () => 'check the secret access key, and that the region is that of the endpoint',
  },
  {
    fits: ({ reason, operation }) =>
      reason === 'SNAPSHOT_NOT_FOUND' && operation === 'StartSnapshot',
    advice: () => 'give as parent a completed snapshot of this account and region',
  },
  {
    fits: ({ reason, operation }) =>
      reason === 'SNAPSHOT_NOT_FOUND' && /^(Put|Complete)/.test(operation),
    advice: () => 'the snapshot was deleted, or given up by AWS for want of blocks: upload again',
  },
  {
    fits: ({ reason }) => reason === 'SNAPSHOT_NOT_FOUND',
    advice: () => 'check the id and the region, and that the snapshot is completed and shared',
  },
  {
    fits: ({ statusCode }) => statusCode === 402,
    advice: () => 'complete or delete pending snapshots, or ask AWS for a higher quota',
  },
];

/** What can be done about a refusal that is final: a clause for the end of a sentence, or undefined. */
export function adviceFor(answer: ErrorAnswer): string | undefined {
  return REMEDIES.find(({ fits }) => fits(answer))?.advice(answer);
}

/** The service names what it misses; where it does not, the call has the permission's name. */
function permissionOf({ operation, serviceMessage }: ErrorAnswer): string {
  const named = /not authorized to perform: ([\w-]+:\w+)/.exec(serviceMessage)?.[1];
  if (named !== undefined) return named;
  return `${/^(Delete|Describe)Snapshots?$/.test(operation) ? 'ec2' : 'ebs'}:${operation}`;
}
