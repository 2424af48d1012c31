import type { Answer } from './answers.ts';
import { ec2ErrorAnswer, type XmlError } from './ec2-xml.ts';
import type { ServiceName } from './routes.ts';
import { s3ErrorAnswer } from './s3-rest.ts';
import { stsErrorAnswer } from './sts-query.ts';

const FORMS: Readonly<Record<Exclude<ServiceName, 'ebs'>, (error: XmlError) => Answer>> = {
  ec2: ec2ErrorAnswer,
  sts: stsErrorAnswer,
  s3: s3ErrorAnswer,
};

/** Makes an error answer in the form of one of the services that answer in XML. */
export function xmlErrorAnswer(service: Exclude<ServiceName, 'ebs'>, error: XmlError): Answer {
  return FORMS[service](error);
}
