import { randomUUID } from 'node:crypto';
import type { Answer } from './answers.ts';
import { writeElements, XML_DECLARATION, type XmlElements } from './xml.ts';

/** An error of the services that answer in XML. */
export interface XmlError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';

/** Makes the success answer of an EC2 action. */
export function ec2Answer(action: string, content: XmlElements): Answer {
  const requestId = randomUUID();
  const text = `<${action}Response xmlns="${NAMESPACE}">${writeElements({ requestId, ...content })}</${action}Response>`;
  return xmlAnswer(200, text, requestId);
}

/** Makes an error answer; EC2's errors have no namespace and a capital RequestID. */
export function ec2ErrorAnswer({ status, code, message }: XmlError): Answer {
  const RequestID = randomUUID();
  const Errors = { Error: { Code: code, Message: message } };
  const text = writeElements({ Response: { Errors, RequestID } });
  const answer = xmlAnswer(status, text, RequestID);
  return { ...answer, error: { type: code, message } };
}

/** A list as EC2 writes it: an element with one `item` each, empty when there is none. */
export function itemSet(items: readonly XmlElements[]): XmlElements | '' {
  return items.length === 0 ? '' : { item: items };
}

function xmlAnswer(status: number, text: string, requestId: string): Answer {
  return {
    status,
    contentType: 'text/xml;charset=UTF-8',
    headers: {
      'x-amzn-RequestId': requestId,
      'Cache-Control': 'no-cache, no-store',
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
      Server: 'AmazonEC2',
    },
    body: XML_DECLARATION + text,
  };
}
