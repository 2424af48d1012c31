import { refusalAnswer, type Answer } from './answers.ts';
import type { XmlError } from './ec2-xml.ts';
import { frameworkError } from './refusal.ts';
import type { ServiceName } from './routes.ts';
import {
  SignatureError,
  type CredentialScope,
  type SignatureProblem,
  type SignatureVerifier,
  type SignedRequest,
} from './verify-signature.ts';
import { xmlErrorAnswer } from './xml-errors.ts';

/** Status and error type of a signature problem, as the EBS front end words it. */
const EBS_PROBLEMS: Readonly<Record<SignatureProblem, readonly [number, string]>> = {
  missing: [403, 'MissingAuthenticationTokenException'],
  incomplete: [400, 'IncompleteSignatureException'],
  'unknown-key': [403, 'UnrecognizedClientException'],
  'wrong-token': [403, 'UnrecognizedClientException'],
  'wrong-region': [403, 'InvalidSignatureException'],
  'wrong-service': [403, 'InvalidSignatureException'],
  expired: [403, 'InvalidSignatureException'],
  'not-yet-valid': [403, 'InvalidSignatureException'],
  mismatch: [403, 'InvalidSignatureException'],
};

/** The other services word the same problems each in its own way. */
const XML_PROBLEMS = { ec2: ec2Problem, sts: stsProblem, s3: s3Problem };

/**
 * Checks who asks, and that the request was signed for the service that will answer it.
 * @throws {SignatureError} naming what is wrong.
 */
export function authenticate(
  verifier: SignatureVerifier,
  request: SignedRequest,
  service: ServiceName,
): CredentialScope {
  // A service clock that a test has moved must not invalidate signatures: clients sign with the machine's time.
  const scope = verifier.verify(request, Date.now());
  if (scope.service !== service) {
    throw new SignatureError(
      'wrong-service',
      `Credential should be scoped to correct service: '${service}'. `,
    );
  }
  return scope;
}

/** Words a signature problem as the service would that was asked. */
export function signatureErrorAnswer(error: SignatureError, service: ServiceName): Answer {
  if (service === 'ebs') {
    const [status, type] = EBS_PROBLEMS[error.problem];
    return refusalAnswer(frameworkError(status, type, error.message));
  }
  return xmlErrorAnswer(service, XML_PROBLEMS[service](error));
}

function ec2Problem({ problem, message }: SignatureError): XmlError {
  if (problem === 'expired' || problem === 'not-yet-valid') {
    return { status: 400, code: 'RequestExpired', message };
  }
  return {
    status: 401,
    code: 'AuthFailure',
    message: 'AWS was not able to validate the provided access credentials',
  };
}

function stsProblem({ problem, message }: SignatureError): XmlError {
  const [status, type] = EBS_PROBLEMS[problem];
  if (problem === 'unknown-key' || problem === 'wrong-token') {
    return { status: 403, code: 'InvalidClientTokenId', message };
  }
  if (type === 'InvalidSignatureException') {
    return { status: 403, code: 'SignatureDoesNotMatch', message };
  }
  return { status, code: type.replace(/Exception$/, ''), message };
}

function s3Problem({ problem, message }: SignatureError): XmlError {
  switch (problem) {
    case 'missing':
      return { status: 403, code: 'AccessDenied', message: 'Access Denied' };
    case 'incomplete':
    case 'wrong-region':
      return { status: 400, code: 'AuthorizationHeaderMalformed', message };
    case 'unknown-key': {
      const text = 'The AWS Access Key Id you provided does not exist in our records.';
      return { status: 403, code: 'InvalidAccessKeyId', message: text };
    }
    case 'wrong-token':
      return { status: 400, code: 'InvalidToken', message };
    case 'expired':
    case 'not-yet-valid':
      return { status: 403, code: 'RequestTimeTooSkewed', message };
    case 'wrong-service':
    case 'mismatch':
      return { status: 403, code: 'SignatureDoesNotMatch', message };
  }
}
