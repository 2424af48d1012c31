import { randomUUID } from 'node:crypto';
import type { Answer } from './answers.ts';
import type { Form } from './ec2-call.ts';
import type { XmlError } from './ec2-xml.ts';
import type { Service } from './service.ts';
import { writeElements } from './xml.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const CALLER_IDENTITY = 'GetCallerIdentity';
/** Of the one user: ids of users begin with AIDA and have 21 characters. */
const USER = { name: 'local', id: 'AIDALOCALEBSSERVICE00' };

/** Whether an action has this name. */
export function isStsAction(name: string): boolean {
  return name === CALLER_IDENTITY;
}

/** Answers one call of STS. */
export function answerSts({ account }: Service, form: Form): Answer {
  const name = form.get('Action') ?? '';
  if (name !== CALLER_IDENTITY) {
    const version = form.get('Version') ?? '';
    return stsErrorAnswer({
      status: 400,
      code: 'InvalidAction',
      message: `Could not find operation ${name} for version ${version}`,
    });
  }
  const RequestId = randomUUID();
  const content = {
    GetCallerIdentityResult: {
      Arn: `arn:aws:iam::${account.accountId}:user/${USER.name}`,
      UserId: USER.id,
      Account: account.accountId,
    },
    ResponseMetadata: { RequestId },
  };
  return stsAnswer({ status: 200, root: 'GetCallerIdentityResponse', content, RequestId });
}

/** Makes an error answer of STS. */
export function stsErrorAnswer({ status, code, message }: XmlError): Answer {
  const RequestId = randomUUID();
  const Type = status < 500 ? 'Sender' : 'Receiver';
  const content = { Error: { Type, Code: code, Message: message }, RequestId };
  const answer = stsAnswer({ status, root: 'ErrorResponse', content, RequestId });
  return { ...answer, error: { type: code, message } };
}

function stsAnswer(answer: {
  readonly status: number;
  readonly root: string;
  readonly content: Parameters<typeof writeElements>[0];
  readonly RequestId: string;
}): Answer {
  const { status, root, content, RequestId } = answer;
  return {
    status,
    contentType: 'text/xml',
    headers: { 'x-amzn-RequestId': RequestId },
    body: `<${root} xmlns="${NAMESPACE}">${writeElements(content)}</${root}>`,
  };
}
