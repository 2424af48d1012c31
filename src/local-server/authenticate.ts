import { refusalAnswer, type Answer } from './answers.ts';
import { ec2ErrorAnswer } from './ec2-xml.ts';
import { frameworkError } from './refusal.ts';
import type { ServiceName } from './routes.ts';
import {
  SignatureError,
  type CredentialScope,
  type SignatureProblem,
  type SignatureVerifier,
  type SignedRequest,
} from './verify-signature.ts';

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
  if (error.problem === 'expired' || error.problem === 'not-yet-valid') {
    return ec2ErrorAnswer({ status: 400, code: 'RequestExpired', message: error.message });
  }
  return ec2ErrorAnswer({
    status: 401,
    code: 'AuthFailure',
    message: 'AWS was not able to validate the provided access credentials',
  });
}
