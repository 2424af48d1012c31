import { randomUUID } from 'node:crypto';
import type { Answer } from './answers.ts';

/** A value of an EC2 answer: text, or elements in the order in which they are written. */
export type XmlValue = string | XmlElements | readonly XmlElements[];

/** Elements by name; a list repeats its element. */
export interface XmlElements {
  readonly [name: string]: XmlValue;
}

/** An error of the EC2 Query API. */
export interface Ec2Error {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** Makes the success answer of an EC2 action. */
export function ec2Answer(action: string, content: XmlElements): Answer {
  const requestId = randomUUID();
  const text = `<${action}Response xmlns="${NAMESPACE}">${writeElements({ requestId, ...content })}</${action}Response>`;
  return xmlAnswer(200, text, requestId);
}

/** Makes an error answer; EC2's errors have no namespace and a capital RequestID. */
export function ec2ErrorAnswer({ status, code, message }: Ec2Error): Answer {
  const RequestID = randomUUID();
  const Errors = { Error: { Code: code, Message: message } };
  const text = writeElements({ Response: { Errors, RequestID } });
  const answer = xmlAnswer(status, text, RequestID);
  return { ...answer, error: { type: code, message } };
}

/** A list as EC2 writes it: an element with one `item` each. */
export function itemSet(items: readonly XmlElements[]): XmlElements {
  return { item: items };
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
    body: DECLARATION + text,
  };
}

/** Writes elements in their order; a list repeats its element, empty text makes an empty element. */
function writeElements(elements: XmlElements): string {
  return Object.entries(elements)
    .map(([name, value]) => {
      if (typeof value === 'string') return writeElement(name, escapeText(value));
      const list = Array.isArray(value)
        ? (value as readonly XmlElements[])
        : [value as XmlElements];
      return list.map((item) => writeElement(name, writeElements(item))).join('');
    })
    .join('');
}

function writeElement(name: string, content: string): string {
  return content === '' ? `<${name}/>` : `<${name}>${content}</${name}>`;
}

/** Escapes text; characters that XML 1.0 (section 2.2) cannot carry become U+FFFD. */
function escapeText(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- these are the characters to remove
      .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\uFFFD')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/\r/g, '&#xD;')
  );
}
