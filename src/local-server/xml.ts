/** A value of an XML answer: text, or elements in the order in which they are written. */
export type XmlValue = string | XmlElements | readonly XmlElements[];

/** Elements by name; a list repeats its element. */
export interface XmlElements {
  readonly [name: string]: XmlValue;
}

/** What every answer in XML begins with. */
export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** Writes elements in their order; a list repeats its element, empty text makes an empty element. */
export function writeElements(elements: XmlElements): string {
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
